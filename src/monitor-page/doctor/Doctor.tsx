import type { DoctorReport, Verdict } from '../../monitor-client/index.js';
import { useAnswer } from '../hooks.js';
import { useOperator } from '../operator.js';
import { Answered } from '../pieces/Answered.js';
import { Card } from '../pieces/Card.js';
import { Code } from '../pieces/Code.js';
import { Empty } from '../pieces/Empty.js';
import { Pill, type Tone } from '../pieces/Pill.js';
import { Time } from '../pieces/Time.js';

const TONES: Readonly<Record<Verdict, Tone>> = { PASS: 'good', WARN: 'warn', FAIL: 'bad', SKIP: 'calm' };
/** Findings that need attention come first. */
const ORDER: readonly Verdict[] = ['FAIL', 'WARN', 'PASS', 'SKIP'];

/** What the doctor found about this Mac when it looked last, and a button that makes it look again. */
export function Doctor() {
  const { client, act } = useOperator();
  const answer = useAnswer(client, 'doctor', {}, ['doctor']);
  const isRunning = answer.state !== 'loading' && answer.value?.running === true;
  const hasLooked = answer.state === 'ready' && answer.value.at !== null;
  const look = async () => {
    await act('doctor.run', {});
    answer.again();
  };
  return (
    <Card
      title="Doctor"
      aside={
        <button type="button" disabled={isRunning} onClick={() => void look()}>
          {isRunning ? 'Looking…' : hasLooked ? 'Look again' : 'Look now'}
        </button>
      }
    >
      <Answered answer={answer}>
        {(report) =>
          report.at === null ? (
            <>
              <Empty
                title="No results yet."
                words="It checks everything that this installation needs, and says what to fix. In a terminal:"
              />
              <Code text="edge-agent doctor" />
            </>
          ) : (
            <Report report={report} at={report.at} />
          )
        }
      </Answered>
    </Card>
  );
}

function Report({ report, at }: { report: DoctorReport; at: string }) {
  const { checks = [], summary } = report;
  return (
    <>
      <p class="headline">
        {ORDER.map((verdict) => (
          <Pill key={verdict} tone={TONES[verdict]}>
            {summary?.[verdict] ?? 0} {verdict}
          </Pill>
        ))}
        <span class="soft">
          checked <Time at={at} />
        </span>
      </p>
      <ul class="rows verdicts">
        {checks
          .toSorted((one, other) => ORDER.indexOf(one.verdict) - ORDER.indexOf(other.verdict))
          .map(({ id, title, verdict, evidence, remedy }) => (
            <li key={id}>
              <Pill tone={TONES[verdict] ?? 'calm'}>{verdict}</Pill>
              <div class="grow">
                <p>
                  <strong>{title}</strong>
                </p>
                <p class="soft">{evidence}</p>
                {remedy !== undefined && <p>{remedy}</p>}
              </div>
            </li>
          ))}
      </ul>
    </>
  );
}
