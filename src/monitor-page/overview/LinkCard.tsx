import { LINK_WORDS } from '../frame/AgentState.js';
import { useAnswer } from '../hooks.js';
import { useOperator } from '../operator.js';
import { Answered } from '../pieces/Answered.js';
import { Card } from '../pieces/Card.js';
import { Time } from '../pieces/Time.js';
import { useNow } from '../useNow.js';
import { duration } from '../words.js';
import { LinkTimeline } from './LinkStrip.js';
import { linkSegments, stripStart } from './linkSegments.js';

/** The connection to the backend: what it is now, and what it was in the last 24 hours, or since the agent's record begins. */
export function LinkCard() {
  const { client, monitor } = useOperator();
  const answer = useAnswer(client, 'link.history', {}, ['link']);
  const now = useNow(15_000);
  const status = monitor.snapshot?.status;
  return (
    <Card title="Link to the backend" class="wide">
      {status !== undefined && (
        <p class="headline">
          <strong>{LINK_WORDS[status.link]}</strong>
          <span class="soft">
            since <Time at={status.link_detail.since} />
            {status.link_detail.rtt_ms !== null && ` · round trip ${duration(status.link_detail.rtt_ms)}`}
          </span>
        </p>
      )}
      <Answered answer={answer}>
        {({ changes }) => {
          const start = stripStart(changes, now);
          return <LinkTimeline segments={linkSegments(changes, now, start)} start={start} now={now} />;
        }}
      </Answered>
      {status?.link_detail.last_disconnect != null && (
        <p class="soft">
          Last disconnect: {status.link_detail.last_disconnect.cause},{' '}
          <Time at={status.link_detail.last_disconnect.at} />
        </p>
      )}
    </Card>
  );
}
