import { useState } from 'preact/hooks';
import { useOperator } from '../operator.js';
import { Answered } from '../pieces/Answered.js';
import { Choice } from '../pieces/Choice.js';
import { Empty } from '../pieces/Empty.js';
import { Field } from '../pieces/Field.js';
import { Scrolled } from '../pieces/Scrolled.js';
import { exactTime, fullTime } from '../words.js';
import { fieldsOf, fits, type ShownLevel } from './logFilter.js';
import { useLogLines } from './useLogLines.js';

/** The log as it is written, narrowed down by level and words. */
export function Log() {
  const answer = useLogLines();
  const { people } = useOperator();
  const [level, setLevel] = useState<ShownLevel>('info');
  const [words, setWords] = useState('');
  const shown =
    answer.state === 'loading' ? [] : (answer.value ?? []).filter((line) => fits(line, level, words));
  return (
    <>
      <div class="bar">
        <Choice
          label="Level"
          value={level}
          onValue={setLevel}
          options={[
            ['info', 'All'],
            ['warn', 'Warnings'],
            ['error', 'Errors'],
          ]}
        />
        <Field label="Filter" value={words} onValue={setWords} hint="words, an id, a code" />
      </div>
      <section class="card log" aria-label="Log">
        <Answered answer={answer}>
          {() => (
            <Scrolled class="mono" role="log" label="Lines" follow={`${shown.length} ${shown.at(-1)?.at}`}>
              {shown.length === 0 && <Empty title="No matching lines." />}
              {shown.map((line, index) => (
                <p key={`${line.at}${index}`} class={`line ${line.level}`}>
                  <time dateTime={line.at} title={fullTime(Date.parse(line.at))}>
                    {exactTime(Date.parse(line.at))}
                  </time>
                  <span class="level">{line.level}</span>
                  <span>
                    {people.named(line.message)} <span class="soft">{people.named(fieldsOf(line))}</span>
                  </span>
                </p>
              ))}
            </Scrolled>
          )}
        </Answered>
      </section>
    </>
  );
}
