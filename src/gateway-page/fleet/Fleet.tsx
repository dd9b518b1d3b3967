import { useState } from 'preact/hooks';
import type { AgentResource } from '../../model/gatewayApi.js';
import { AnswerStates } from '../../monitor-page/pieces/AnswerStates.js';
import { Card } from '../../monitor-page/pieces/Card.js';
import { Code } from '../../monitor-page/pieces/Code.js';
import { Field } from '../../monitor-page/pieces/Field.js';
import { Pill } from '../../monitor-page/pieces/Pill.js';
import { Time } from '../../monitor-page/pieces/Time.js';
import { useNames } from '../gatewayConsole.js';
import { consoleHref } from '../route.js';
import { type ApiPage, usePages } from '../usePages.js';
import { Activity } from './Activity.js';
import { agentState, byUrgency } from './agentState.js';

/** Every agent with its live state; those that need attention first. */
export function Fleet() {
  const [filter, setFilter] = useState('');
  const agents = usePages<AgentResource>('v1/agents', [
    'agent.online',
    'agent.offline',
    'agent.degraded',
    'agent.recovered',
  ]);
  return (
    <>
      <div class="bar">
        <Field label="Find an agent" value={filter} onValue={setFilter} hint="its id, or a part of it" />
      </div>
      <div class="grid">
        {agents.value !== undefined && <Totals page={agents.value} />}
        <Card title="Agents" class="wide">
          <AnswerStates
            answer={agents}
            empty={{
              when: ({ data }) => data.length === 0,
              title: 'There is no agent yet.',
              words: 'Add one, and put the lines that are printed into the .env of the Mac.',
            }}
          >
            {({ data }) => (
              <div class="fleet">
                <div class="head-row" aria-hidden="true">
                  <span>Agent</span>
                  <span>State</span>
                  <span>Problems</span>
                  <span>Waiting</span>
                  <span>Last message</span>
                  <span>Seen</span>
                </div>
                <ul class="rows" aria-label="Agents">
                  {data
                    .filter(({ id }) => id.includes(filter.trim()))
                    .toSorted(byUrgency)
                    .map((agent) => (
                      <Row key={agent.id} agent={agent} />
                    ))}
                </ul>
              </div>
            )}
          </AnswerStates>
          {agents.state === 'ready' && agents.value.data.length === 0 && (
            <Code text="edge-agent gateway agents add +13105550100" />
          )}
          {agents.more !== undefined && (
            <p class="more">
              <button type="button" onClick={agents.more}>
                Show more
              </button>
            </p>
          )}
        </Card>
        <Activity />
      </div>
    </>
  );
}

function Row({ agent }: { agent: AgentResource }) {
  const name = useNames();
  const { words, tone } = agentState(agent);
  const { id, version, problems, commands_pending, last_message_at, last_seen_at } = agent;
  return (
    <li>
      <a href={consoleHref('fleet', id)}>
        <span class="cut">
          <strong>{name(id)}</strong> <span class="soft">{version ?? ''}</span>
        </span>
        <Pill tone={tone}>{words}</Pill>
        <span class={`soft cut problem-cell ${problems.length === 0 ? 'none' : ''}`}>
          {problems.length === 0 ? 'none' : problems.map(({ code }) => code).join(', ')}
        </span>
        <span class={`number ${commands_pending > 0 ? '' : 'soft'}`}>
          {commands_pending.toLocaleString()}
          <span class="narrow"> waiting</span>
        </span>
        <span class="soft last-message">
          <span class="narrow">last message </span>
          <Time at={last_message_at} none="none" />
        </span>
        <span class="soft seen">
          <Time at={last_seen_at} />
        </span>
      </a>
    </li>
  );
}

function Totals({ page: { data, next_cursor } }: { page: ApiPage<AgentResource> }) {
  const online = data.filter((agent) => agent.online).length;
  const registered = data.filter(({ registered_at }) => registered_at !== null).length;
  const degraded = data.filter((agent) => agent.online && agent.problems.length > 0).length;
  const waiting = data.reduce((sum, { commands_pending }) => sum + commands_pending, 0);
  const oldest = data.flatMap(({ oldest_pending_at }) => oldest_pending_at ?? []).sort()[0];
  const scope = next_cursor === null ? '' : ` of the first ${data.length}`;
  return (
    <section class="figures wide" aria-label="Now">
      <Figure name="Online" value={online} isBad={online < registered}>
        of {registered} registered{scope}
      </Figure>
      <Figure name="Degraded" value={degraded} isBad={degraded > 0}>
        {degraded === 0 ? 'no agent reports a problem' : 'online, with problems'}
      </Figure>
      <Figure name="Commands" value={waiting} isBad={false}>
        {oldest === undefined ? 'none waits' : <>waiting, the oldest since {<Time at={oldest} />}</>}
      </Figure>
    </section>
  );
}

function Figure(props: { name: string; value: number; isBad: boolean; children: preact.ComponentChildren }) {
  return (
    <div class={`figure ${props.isBad ? 'bad' : ''}`}>
      <h2>{props.name}</h2>
      <p>
        <strong>{props.value.toLocaleString()}</strong>
      </p>
      <p class="soft">{props.children}</p>
    </div>
  );
}
