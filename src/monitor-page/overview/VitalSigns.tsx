import type { Status } from '../../monitor-client/index.js';
import { useOperator } from '../operator.js';
import { Card } from '../pieces/Card.js';
import { Pill, type Tone } from '../pieces/Pill.js';
import { Time } from '../pieces/Time.js';
import { spoken } from '../words.js';

type Sign = Status['vital_signs'][keyof Status['vital_signs']];

const STATES: Readonly<Record<Sign['state'], readonly [Tone, string]>> = {
  ok: ['good', 'ok'],
  failing: ['bad', 'failing'],
  not_yet_known: ['calm', 'not yet known'],
};

/** Each part of the job, and what was seen of it. */
export function VitalSigns() {
  const signs = useOperator().monitor.snapshot?.status.vital_signs;
  if (signs === undefined) return null;
  return (
    <Card title="Vital signs" class="wide">
      <ul class="signs">
        {Object.entries(signs).map(([name, { state, evidence, evidence_at: at }]) => (
          <li key={name}>
            <Pill tone={STATES[state][0]}>{STATES[state][1]}</Pill>
            <strong>{spoken(name)}</strong>
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
