import { useEffect } from 'preact/hooks';
import { useAnswer } from '../hooks.js';
import { useOperator } from '../operator.js';
import { Answered } from '../pieces/Answered.js';
import { Card } from '../pieces/Card.js';
import { Pill, type Tone } from '../pieces/Pill.js';
import { Scrolled } from '../pieces/Scrolled.js';
import { Time } from '../pieces/Time.js';

const TONES: Readonly<Record<string, Tone>> = {
  info: 'calm',
  success: 'good',
  warning: 'warn',
  error: 'bad',
};

/** The notifications of the agent, also from times without clients, the newest first. */
export function NotificationsCard() {
  const { client, monitor, people } = useOperator();
  const answer = useAnswer(client, 'notifications.list', {}, []);
  const newest = monitor.notifications.at(-1)?.id;
  useEffect(() => {
    if (newest !== undefined) answer.again();
  }, [newest]);
  return (
    <Card title="Notifications" class="wide">
      <Answered
        answer={answer}
        empty={{ when: (notifications) => notifications.length === 0, title: 'No notifications yet.' }}
      >
        {(notifications) => (
          <Scrolled label="The newest notifications">
            <ul class="rows">
              {notifications.toReversed().map(({ at, level, message }, index) => (
                <li key={`${at}${index}`}>
                  <Pill tone={TONES[level] ?? 'calm'}>{level}</Pill>
                  <span class="grow">{people.named(message)}</span>
                  <Time at={at} />
                </li>
              ))}
            </ul>
          </Scrolled>
        )}
      </Answered>
    </Card>
  );
}
