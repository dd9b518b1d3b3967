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
/** What needs somebody stands first. */
const ORDER: readonly Verdict[] = ['FAIL', 'WARN', 'PASS', 'SKIP'];

/** What the last `edge-agent doctor` found about this Mac. */
export function Doctor() {
  const answer = useAnswer(useOperator().client, 'doctor', {}, []);
  return (
    <Card
      title="Doctor"
      aside={
        <button type="button" onClick={answer.again}>
          Look again
        </button>
      }
    >
      <Answered answer={answer}>
        {(report) =>
          report.at === null ? (
            <>
              <Empty
                title="No results yet."
                words="It tests every assumption about this Mac, and says what to fix. In a terminal:"
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
          looked <Time at={at} />
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
