import { useState } from 'preact/hooks';
import type { ScheduleEntry } from '../../monitor-client/index.js';
import { useAnswer } from '../hooks.js';
import { useOperator } from '../operator.js';
import { cancelledWords } from '../outcomes.js';
import { titled } from '../people.js';
import { Answered } from '../pieces/Answered.js';
import { Card } from '../pieces/Card.js';
import { Choice } from '../pieces/Choice.js';
import { Confirmed } from '../pieces/Confirmed.js';
import { Pill, type Tone } from '../pieces/Pill.js';
import { Time } from '../pieces/Time.js';
import { counted, fullTime } from '../words.js';

const TONES: Readonly<Record<string, Tone>> = {
  pending: 'busy',
  sending: 'busy',
  sent: 'good',
  failed: 'bad',
};

/** What is to be sent later, the earliest first, and a way to take it back. */
export function Schedule() {
  const { client, reveals } = useOperator();
  const [which, setWhich] = useState<'pending' | 'all'>('pending');
  const answer = useAnswer(client, 'schedule.list', { all: which === 'all', texts: reveals }, [
    'schedule',
    'sends',
  ]);
  return (
    <Card
      title="Scheduled texts"
      aside={
        <Choice
          label="Which scheduled texts"
          value={which}
          onValue={setWhich}
          options={[
            ['pending', 'To come'],
            ['all', 'All'],
          ]}
        />
      }
    >
      <Answered
        answer={answer}
        empty={{
          when: (entries) => entries.length === 0,
          title: 'Nothing is scheduled.',
          words: 'Texts that the backend has scheduled appear here.',
        }}
      >
        {(entries) => (
          <ul class="rows">
            {entries.map((entry) => (
              <Entry key={entry.schedule_id} entry={entry} onChanged={answer.again} />
            ))}
          </ul>
        )}
      </Answered>
    </Card>
  );
}

function Entry({ entry, onChanged }: { entry: ScheduleEntry; onChanged: () => void }) {
  const { act, notify, reveals } = useOperator();
  const name = titled(entry, reveals);
  const cancel = async () => {
    const done = await act('schedule.cancel', { id: entry.schedule_id });
    if (done !== undefined) notify(...cancelledWords(done));
    onChanged();
  };
  const files = entry.files === 0 ? '' : ` and ${counted(entry.files, 'file')}`;
  return (
    <li>
      <div class="grow">
        <p>
          <strong>{name}</strong> <span class="soft">{fullTime(Date.parse(entry.send_at))}, </span>
          <Time at={entry.send_at} />
        </p>
        <p class="soft">
          {(reveals ? entry.text : undefined) ?? counted(entry.characters, 'character')}
          {files}
          {entry.error !== null && ` · ${entry.error}`}
        </p>
      </div>
      <Pill tone={TONES[entry.status] ?? 'calm'}>{entry.status}</Pill>
      {entry.status === 'pending' && (
        <Confirmed
          label="Cancel"
          about={`the text to ${name}`}
          question="Cancel this text?"
          consequence={`It was scheduled for ${name} on ${fullTime(Date.parse(entry.send_at))}. It will not be sent. If the backend scheduled it, the backend will be notified.`}
          onConfirm={() => void cancel()}
        />
      )}
    </li>
  );
}
