import { useOperator } from '../operator.js';
import { Card } from '../pieces/Card.js';
import { Empty } from '../pieces/Empty.js';
import { Pill, type Tone } from '../pieces/Pill.js';
import { Scrolled } from '../pieces/Scrolled.js';
import { Time } from '../pieces/Time.js';

const TONES: Readonly<Record<string, Tone>> = {
  info: 'calm',
  success: 'good',
  warning: 'warn',
  error: 'bad',
};

/** What the agent has told since the page was opened, the newest first. */
export function NotificationsCard() {
  const { notifications } = useOperator().monitor;
  return (
    <Card title="Notifications" class="wide">
      {notifications.length === 0 ? (
        <Empty title="None since this page was opened." />
      ) : (
        <Scrolled label="The newest notifications">
          <ul class="rows">
            {notifications.toReversed().map(({ id, at, level, message }) => (
              <li key={id}>
                <Pill tone={TONES[level] ?? 'calm'}>{level}</Pill>
                <span class="grow">{message}</span>
                <Time at={at} />
              </li>
            ))}
          </ul>
        </Scrolled>
      )}
    </Card>
  );
}
