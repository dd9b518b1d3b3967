import type { Status } from '../../monitor-client/index.js';
import { useOperator } from '../operator.js';
import { Card } from '../pieces/Card.js';
import { Time } from '../pieces/Time.js';

type Sign = Status['vital_signs'][keyof Status['vital_signs']];

const STATES: Readonly<Record<Sign['state'], string>> = {
  ok: 'ok',
  failing: 'failing',
  not_yet_known: 'not yet known',
};

/** Each part of the job, and what was seen of it. */
export function VitalSigns() {
  const signs = useOperator().monitor.snapshot?.status.vital_signs;
  if (signs === undefined) return null;
  return (
    <Card title="Vital signs" class="wide">
      <ul>
        {Object.entries(signs).map(([name, { state, evidence, evidence_at: at }]) => (
          <li key={name}>
            {name.replaceAll('_', ' ')}: <strong>{STATES[state]}</strong>{' '}
            <span class="soft">
              {evidence}
              {at !== null && (
                <>
                  , <Time at={at} />
                </>
              )}
            </span>
          </li>
        ))}
      </ul>
    </Card>
  );
}
