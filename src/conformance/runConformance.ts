import { describeError } from '../errors.js';
import { redactor } from '../logging/redact.js';
import type { Clock } from '../system/clock.js';
import { Bench, PATIENCE, type Patience, type Target } from './Bench.js';
import { type Check, type CheckResult, judge, type Outcome, skip, type Verdict } from './check.js';
import { chosenChecks, REACHABLE } from './checks.js';

export interface ConformanceOptions {
  readonly clock: Clock;
  readonly version: string;
  /** The ids of the checks that are wanted; what they need runs too. All unless given. */
  readonly only?: readonly string[];
  /** Whether checks that take a minute are wanted. */
  readonly slow?: boolean;
  /** The protocol's waits unless given. */
  readonly patience?: Partial<Patience>;
}

/**
 * Plays an agent against a backend, one check after the other, and tells each result as it comes. Never throws: a check
 * that does has failed. No result holds a secret, whatever the backend says. Leaves no command waiting for the test agents, and no socket open, when read to its end.
 */
export async function* runConformance(
  target: Target,
  options: ConformanceOptions,
): AsyncGenerator<CheckResult, void, void> {
  const { clock, version, slow = false } = options;
  const bench = new Bench(target, { ...PATIENCE, ...options.patience }, clock, version, slow);
  const conceal = redactor([target.secret, target.sendKey]);
  const verdicts = new Map<string, Verdict>();
  try {
    for (const check of chosenChecks(options.only)) {
      const from = clock.monotonic();
      const outcome = hindrance(check, verdicts) ?? (await outcomeOf(check, bench));
      verdicts.set(check.id, outcome.verdict);
      const { id, clause, title, expected } = check;
      const told = { ...outcome, sent: conceal(outcome.sent), came: conceal(outcome.came) };
      yield { id, clause, title, expected, ...told, ms: Math.round(clock.monotonic() - from) };
    }
  } finally {
    if (verdicts.get(REACHABLE) === 'PASS') await bench.tidy();
  }
}

/** Why a check cannot be judged after what was found before it. */
function hindrance(check: Check, verdicts: ReadonlyMap<string, Verdict>): Outcome | undefined {
  if (check.id === REACHABLE) return undefined;
  for (const id of [REACHABLE, ...(check.needs ?? [])]) {
    const verdict = verdicts.get(id);
    if (verdict !== 'PASS')
      return skip(`needs ${id}, which ${verdict === 'FAIL' ? 'failed' : 'was skipped'}`);
  }
  const toBlame = check.unless?.find((id) => verdicts.get(id) === 'FAIL');
  return toBlame === undefined ? undefined : skip(`not judged, because ${toBlame} failed`);
}

async function outcomeOf(check: Check, bench: Bench): Promise<Outcome> {
  try {
    return await check.run(bench);
  } catch (error) {
    return judge(false, 'what the check sends', describeError(error));
  } finally {
    await bench.hangUp();
  }
}
