import { useState } from 'preact/hooks';
import type { Setting } from '../../monitor-client/index.js';
import { useAnswer } from '../hooks.js';
import { maskSetting } from '../mask.js';
import { useOperator } from '../operator.js';
import { Answered } from '../pieces/Answered.js';
import { Choice } from '../pieces/Choice.js';
import { Empty } from '../pieces/Empty.js';
import { Field } from '../pieces/Field.js';
import { Pill } from '../pieces/Pill.js';

/** Every setting in force, and where its value comes from. */
export function Settings() {
  const { client, reveals } = useOperator();
  const answer = useAnswer(client, 'config', {}, ['problems']);
  const [words, setWords] = useState('');
  const [which, setWhich] = useState<'all' | 'changed'>('all');
  const isWanted = ({ key, value, source, description }: Setting) =>
    (which === 'all' || source !== 'default') &&
    `${key} ${shown(value)} ${source} ${description}`.toLowerCase().includes(words.toLowerCase());
  return (
    <>
      <div class="bar">
        <Choice
          label="Which settings"
          value={which}
          onValue={setWhich}
          options={[
            ['all', 'All'],
            ['changed', 'Not default'],
          ]}
        />
        <Field label="Filter" value={words} onValue={setWords} hint="a key, a value, words" />
      </div>
      <section class="card" aria-label="Settings">
        <Answered answer={answer}>
          {(settings) => {
            const wanted = settings.filter(isWanted);
            if (wanted.length === 0) return <Empty title="No matching settings." />;
            return (
              <table class="settings">
                <thead>
                  <tr>
                    <th scope="col">Setting</th>
                    <th scope="col">Value</th>
                    <th scope="col">Comes from</th>
                  </tr>
                </thead>
                <tbody>
                  {wanted.map(({ key, value, source, description, restart }) => (
                    <tr key={key}>
                      <th scope="row">
                        <span class="mono">{key}</span>
                        <p class="soft">
                          {description}
                          {restart && ' A change takes effect after a restart.'}
                        </p>
                      </th>
                      <td class="mono">{reveals ? shown(value) : maskSetting(key, shown(value))}</td>
                      <td>
                        {source === 'default' ? (
                          <span class="soft">default</span>
                        ) : (
                          <Pill tone={source === 'remote' ? 'warn' : 'busy'}>{source}</Pill>
                        )}
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            );
          }}
        </Answered>
      </section>
    </>
  );
}

function shown(value: unknown): string {
  if (value === null || value === '') return '–';
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(String).join(', ');
  return typeof value === 'string' ? value : JSON.stringify(value);
}
