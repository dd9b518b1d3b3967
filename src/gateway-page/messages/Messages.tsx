import { useState } from 'preact/hooks';
import type { AgentResource } from '../../model/gatewayApi.js';
import type { MessageStatus, OutgoingMessage } from '../../model/gatewayMessages.js';
import { AnswerStates } from '../../monitor-page/pieces/AnswerStates.js';
import { Choice } from '../../monitor-page/pieces/Choice.js';
import { Empty } from '../../monitor-page/pieces/Empty.js';
import { Pill } from '../../monitor-page/pieces/Pill.js';
import { Time } from '../../monitor-page/pieces/Time.js';
import { useNames } from '../gatewayConsole.js';
import { consoleHref } from '../route.js';
import { usePages } from '../usePages.js';
import { HiddenText } from './HiddenText.js';
import { MessageLife } from './MessageLife.js';
import { STATUS_TONES } from './statusTones.js';

type Which = 'all' | Extract<MessageStatus, 'queued' | 'failed' | 'unknown'>;

/** What applications have an agent send, the newest first, and of one message its whole life. */
export function Messages({ agent, id }: { agent: string | undefined; id: string | undefined }) {
  const agents = usePages<AgentResource>('v1/agents', ['agent.online']);
  const name = useNames();
  const all = agents.value?.data ?? [];
  const chosen = agent ?? all[0]?.id;
  const [which, setWhich] = useState<Which>('all');
  return (
    <>
      <div class="bar">
        <label>
          <span class="label">Agent</span>
          <select
            value={chosen ?? ''}
            onChange={(event) => {
              location.hash = consoleHref('messages', event.currentTarget.value);
            }}
          >
            {chosen !== undefined && all.every((known) => known.id !== chosen) && (
              <option value={chosen}>{name(chosen)}</option>
            )}
            {all.map((known) => (
              <option key={known.id} value={known.id}>
                {name(known.id)}
              </option>
            ))}
          </select>
        </label>
        <Choice
          label="Which messages"
          value={which}
          onValue={setWhich}
          options={[
            ['all', 'All'],
            ['queued', 'Queued'],
            ['failed', 'Failed'],
            ['unknown', 'Unknown'],
          ]}
        />
      </div>
      {chosen === undefined ? (
        <AnswerStates answer={agents}>{() => <Empty title="There is no agent yet." />}</AnswerStates>
      ) : (
        <div class={`split card ${id === undefined ? '' : 'opened'}`}>
          <MessageList key={`${chosen} ${which}`} agent={chosen} which={which} shown={id} />
          {id === undefined ? (
            <div class="thread hint soft">Choose a message to see what became of it.</div>
          ) : (
            <MessageLife key={id} agent={chosen} id={id} />
          )}
        </div>
      )}
    </>
  );
}

function MessageList({ agent, which, shown }: { agent: string; which: Which; shown: string | undefined }) {
  const name = useNames();
  const status = which === 'all' ? '' : `&status=${which}`;
  const messages = usePages<OutgoingMessage>(`v1/messages?agent=${encodeURIComponent(agent)}${status}`, [
    'message.status',
  ]);
  return (
    <div class="list">
      <AnswerStates
        answer={messages}
        empty={{
          when: ({ data }) => data.length === 0,
          title: which === 'all' ? 'No message yet.' : `No message is ${which}.`,
          words: 'Messages that applications send appear here.',
        }}
      >
        {({ data }) => (
          <ul aria-label="Messages">
            {data.map((message) => (
              <li key={message.id}>
                <a
                  href={consoleHref('messages', agent, message.id)}
                  aria-current={message.id === shown ? 'true' : undefined}
                >
                  <span class="row">
                    <strong class="grow cut">{name(message.conversation)}</strong>
                    <Time at={message.created_at} />
                  </span>
                  <span class="row">
                    <span class="grow soft cut">
                      <HiddenText text={message.text} files={message.attachments.length} />
                    </span>
                    <Pill tone={STATUS_TONES[message.status]}>{message.status}</Pill>
                  </span>
                </a>
              </li>
            ))}
          </ul>
        )}
      </AnswerStates>
      {messages.more !== undefined && (
        <p class="more">
          <button type="button" onClick={messages.more}>
            Show more
          </button>
        </p>
      )}
    </div>
  );
}
