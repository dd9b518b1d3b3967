import { useOperator } from '../operator.js';
import { resumedThereWords, resumedWords } from '../outcomes.js';
import { Card } from '../pieces/Card.js';
import { Empty } from '../pieces/Empty.js';
import { Time } from '../pieces/Time.js';

const REASONS: Readonly<Record<string, string>> = {
  manual: 'by an operator',
  operator: 'a person answered there',
  loop: 'two machines answered each other',
};

/** Where sending is paused, why, and a button to resume it. */
export function PausesCard() {
  const { monitor, people, act, notify } = useOperator();
  const paused = monitor.snapshot?.status.paused ?? [];
  const resume = async (conversation: string) => {
    const done = await act('resume', conversation === '*' ? {} : { conversation });
    if (done !== undefined) notify(...(conversation === '*' ? resumedWords(done) : resumedThereWords(done)));
  };
  return (
    <Card title="Paused">
      {paused.length === 0 ? (
        <Empty title="Nothing is paused." />
      ) : (
        <ul class="rows">
          {paused.map(({ conversation, reason, since, incoming }) => {
            const name = conversation === '*' ? 'Everything' : people.nameOf(conversation);
            return (
              <li key={conversation}>
                <div class="grow">
                  <strong>{name}</strong>
                  <p class="soft">
                    {REASONS[reason] ?? reason}, <Time at={since} />
                    {incoming && ' · incoming waits too'}
                  </p>
                </div>
                <button
                  type="button"
                  aria-label={`Resume: ${name}`}
                  onClick={() => void resume(conversation)}
                >
                  Resume
                </button>
              </li>
            );
          })}
        </ul>
      )}
    </Card>
  );
}
