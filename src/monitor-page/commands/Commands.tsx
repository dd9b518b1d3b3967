import { useState } from 'preact/hooks';
import { useAnswer } from '../hooks.js';
import { useOperator } from '../operator.js';
import { Answered } from '../pieces/Answered.js';
import { Choice } from '../pieces/Choice.js';
import { Pill } from '../pieces/Pill.js';
import { Time } from '../pieces/Time.js';
import { hrefOf } from '../route.js';
import { spoken } from '../words.js';
import { CommandTimeline } from './CommandTimeline.js';
import { COMMAND_TONES } from './tones.js';

/** The commands of the agent, the newest first, and the details of one of them. */
export function Commands({ at }: { at: string | undefined }) {
  const { client, people } = useOperator();
  const [which, setWhich] = useState<'all' | 'open'>('all');
  const answer = useAnswer(client, 'commands.list', { limit: 100, open: which === 'open' }, [
    'commands',
    'sends',
  ]);
  return (
    <>
      <div class="bar">
        <Choice
          label="Which commands"
          value={which}
          onValue={setWhich}
          options={[
            ['all', 'All'],
            ['open', 'Open'],
          ]}
        />
      </div>
      <div class={`split card ${at === undefined ? '' : 'opened'}`}>
        <div class="list">
          <Answered
            answer={answer}
            empty={{
              when: (commands) => commands.length === 0,
              title: which === 'open' ? 'No command is open.' : 'No command yet.',
              words: 'Commands from the backend appear here.',
            }}
          >
            {(commands) => (
              <ul aria-label="Commands">
                {commands.map(({ command_id, command_type, state, received_at, error }) => (
                  <li key={command_id}>
                    <a
                      href={hrefOf('commands', command_id)}
                      aria-current={command_id === at ? 'true' : undefined}
                    >
                      <span class="row">
                        <strong class="grow cut">{spoken(command_type)}</strong>
                        <Time at={received_at} />
                      </span>
                      <span class="row">
                        <span class="grow soft cut mono">
                          {error === null ? command_id : people.named(error)}
                        </span>
                        <Pill tone={COMMAND_TONES[state]}>{state}</Pill>
                      </span>
                    </a>
                  </li>
                ))}
              </ul>
            )}
          </Answered>
        </div>
        {at === undefined ? (
          <div class="thread hint soft">Choose a command to see its steps.</div>
        ) : (
          <CommandTimeline key={at} id={at} />
        )}
      </div>
    </>
  );
}
