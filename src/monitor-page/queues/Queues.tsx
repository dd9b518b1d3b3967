import type { QueueEntry } from '../../monitor-client/index.js';
import { useAnswer } from '../hooks.js';
import { useOperator } from '../operator.js';
import { droppedWords, retriedWords } from '../outcomes.js';
import { titled } from '../people.js';
import { Answered } from '../pieces/Answered.js';
import { Card } from '../pieces/Card.js';
import { Confirmed } from '../pieces/Confirmed.js';
import { Time } from '../pieces/Time.js';
import { counted } from '../words.js';
import { Waiting } from './Waiting.js';

/** What waits, and what was put aside because the backend refused it: to be tried again, or given up. */
export function Queues() {
  const { client, act, notify, reveals } = useOperator();
  const answer = useAnswer(client, 'queue.list', { texts: reveals }, ['queues']);
  const change = async (verb: 'queue.retry' | 'queue.drop', guid: string) => {
    const done = await act(verb, { guid });
    if (done !== undefined) notify(...(verb === 'queue.retry' ? retriedWords(done) : droppedWords(done)));
    answer.again();
  };
  const many = answer.state !== 'loading' && (answer.value?.length ?? 0) > 1;
  return (
    <div class="grid">
      <Waiting />
      <Card
        title="Messages set aside"
        class="wide"
        aside={
          many && (
            <button type="button" onClick={() => void change('queue.retry', 'all')}>
              Retry all
            </button>
          )
        }
      >
        <Answered
          answer={answer}
          empty={{
            when: (entries) => entries.length === 0,
            title: 'Nothing is set aside.',
            words: 'Messages that the backend refuses are set aside here, so that they are not lost.',
          }}
        >
          {(entries) => (
            <ul class="rows">
              {entries.map((entry) => (
                <DeadLetter key={entry.guid} entry={entry} onChange={change} />
              ))}
            </ul>
          )}
        </Answered>
      </Card>
    </div>
  );
}

function DeadLetter(props: {
  entry: QueueEntry;
  onChange: (verb: 'queue.retry' | 'queue.drop', guid: string) => Promise<void>;
}) {
  const { guid, sent_at, parked_at, attempts, error } = props.entry;
  const conversation = titled(props.entry, useOperator().reveals);
  return (
    <li>
      <div class="grow">
        <p>
          <strong>{conversation}</strong>{' '}
          <span class="soft">
            written <Time at={sent_at} />, set aside <Time at={parked_at} /> after{' '}
            {counted(attempts, 'attempt')}
          </span>
        </p>
        {error !== null && <p class="soft">{error}</p>}
      </div>
      <button
        type="button"
        aria-label={`Retry: the message of ${conversation}`}
        onClick={() => void props.onChange('queue.retry', guid)}
      >
        Retry
      </button>
      <Confirmed
        label="Drop"
        about={`the message of ${conversation}`}
        question="Give this message up?"
        consequence={`The backend will never get it, and ${conversation} gets no answer to it.`}
        onConfirm={() => void props.onChange('queue.drop', guid)}
      />
    </li>
  );
}
