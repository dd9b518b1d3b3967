import type { Presence } from '../../monitor-client/index.js';
import type { OwnPresence } from '../frame/usePresence.js';
import { useOperator } from '../operator.js';
import { Card } from '../pieces/Card.js';
import { Pill, type Tone } from '../pieces/Pill.js';

const TONES: Readonly<Record<Presence, Tone>> = {
  online: 'good',
  away: 'calm',
  busy: 'warn',
  offline: 'calm',
};

/** Who looks at this agent now, and what one says of oneself. */
export function WatchersCard({ presence }: { presence: OwnPresence }) {
  const { monitor, leave } = useOperator();
  const { connection } = monitor;
  const own = connection.name === 'online' ? connection.userId : undefined;
  return (
    <Card
      title="Watching"
      class="wide"
      aside={
        <div class="row">
          <label class="row">
            <span class="soft">I am</span>
            <select
              value={presence.chosen}
              onChange={(event) => presence.choose(event.currentTarget.value as Presence)}
            >
              <option value="online">online</option>
              <option value="away">away</option>
              <option value="busy">busy</option>
            </select>
          </label>
          <button type="button" onClick={leave}>
            Sign out
          </button>
        </div>
      }
    >
      <ul class="rows">
        {monitor.presence.map(({ userId, status }) => (
          <li key={userId}>
            <span class="grow">
              {userId}
              {userId === own && <span class="soft"> (you)</span>}
            </span>
            <Pill tone={TONES[status]}>{status}</Pill>
          </li>
        ))}
      </ul>
    </Card>
  );
}
