import type { AgentResource } from '../../model/gatewayApi.js';
import { AnswerStates } from '../../monitor-page/pieces/AnswerStates.js';
import { Card } from '../../monitor-page/pieces/Card.js';
import { Pill } from '../../monitor-page/pieces/Pill.js';
import { Time } from '../../monitor-page/pieces/Time.js';
import { useNames } from '../gatewayConsole.js';
import { consoleHref } from '../route.js';
import { useResource } from '../useResource.js';
import { Activity } from './Activity.js';
import { agentState } from './agentState.js';

/** One agent: its line, what is wrong, and what waits for it. */
export function Agent({ id }: { id: string }) {
  const name = useNames();
  const agent = useResource<AgentResource>(`v1/agents/${encodeURIComponent(id)}`, [
    'agent.online',
    'agent.offline',
    'agent.degraded',
    'agent.recovered',
    'message.received',
    'message.status',
    'command.status',
  ]);
  return (
    <>
      <p class="bar">
        <a href={consoleHref('fleet')}>All agents</a>
      </p>
      <div class="grid">
        <Card title={name(id)} class="wide" aside={<a href={consoleHref('messages', id)}>Its messages</a>}>
          <AnswerStates answer={agent}>{(value) => <Facts agent={value} />}</AnswerStates>
        </Card>
        {agent.value !== undefined && agent.value.problems.length > 0 && (
          <Problems problems={agent.value.problems} />
        )}
        <Activity agent={id} />
      </div>
    </>
  );
}

function Facts({ agent }: { agent: AgentResource }) {
  const { words, tone } = agentState(agent);
  const { connected_since, last_seen_at, last_message_at, registered_at, version } = agent;
  const { commands_pending, oldest_pending_at } = agent;
  return (
    <dl class="facts">
      <dt>State</dt>
      <dd>
        <Pill tone={tone}>{words}</Pill>
      </dd>
      <dt>Socket</dt>
      <dd>{connected_since === null ? 'none' : <>since {<Time at={connected_since} />}</>}</dd>
      <dt>Last seen</dt>
      <dd>
        <Time at={last_seen_at} />
      </dd>
      <dt>Last message</dt>
      <dd>
        <Time at={last_message_at} none="none yet" />
      </dd>
      <dt>Registered</dt>
      <dd>
        <Time at={registered_at} none="not yet" />
      </dd>
      <dt>Version</dt>
      <dd>{version ?? 'not known'}</dd>
      <dt>Commands</dt>
      <dd>
        {commands_pending === 0 ? (
          'none waits'
        ) : (
          <>
            {commands_pending.toLocaleString()} waiting, the oldest since <Time at={oldest_pending_at} />
          </>
        )}
      </dd>
    </dl>
  );
}

/** As the agent's newest status has them. */
function Problems({ problems }: { problems: AgentResource['problems'] }) {
  const name = useNames();
  const text = (value: unknown) => (typeof value === 'string' ? name(value) : '');
  return (
    <section class="card wide problems" aria-label="Problems">
      <ul>
        {problems.map((problem) => (
          <li key={`${problem.code}${text(problem.message)}`}>
            <p>
              <strong>{text(problem.message) || problem.code}</strong>{' '}
              <span class="soft">{problem.code}</span>
            </p>
            <p>{text(problem.remedy)}</p>
          </li>
        ))}
      </ul>
    </section>
  );
}
