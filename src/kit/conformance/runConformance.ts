import { describeError } from '../../errors.js';
import { redactor } from '../../logging/formatLine.js';
import type { Clock } from '../../system/clock.js';
import {
  type ConformancePatience,
  ConformanceRun,
  type ConformanceTarget,
  PATIENCE,
} from './ConformanceRun.js';
import {
  type CheckResult,
  type ConformanceCheck,
  type ConformanceOutcome,
  type ConformanceVerdict,
  judge,
  skip,
} from './check.js';
import { chosenChecks, REACHABLE } from './checks.js';
import { RateLimited } from './rateLimit.js';

export interface ConformanceOptions {
  readonly clock: Clock;
  readonly version: string;
  /** The ids of the checks that are wanted; what they need runs too. All unless given. */
  readonly only?: readonly string[];
  /** Whether checks that take a minute are wanted. */
  readonly slow?: boolean;
  /** The protocol's waits unless given. */
  readonly patience?: Partial<ConformancePatience>;
  /** Ends the checks, including the current one, which is then not reported. They are still cleaned up. */
  readonly stop?: AbortSignal;
}

/**
 * Acts as an agent towards a backend, one check at a time, and reports each result immediately. Never throws: a check
 * that throws has failed. No result contains a secret, whatever the backend answers. Leaves no command waiting for the
 * test agents, and no open socket, when read to its end or stopped.
 */
export async function* runConformance(
  target: ConformanceTarget,
  options: ConformanceOptions,
): AsyncGenerator<CheckResult, void, void> {
  const { clock, version, slow = false } = options;
  const stop = options.stop ?? new AbortController().signal;
  const run = new ConformanceRun(target, { ...PATIENCE, ...options.patience }, clock, version, slow, stop);
  const conceal = redactor([target.secret, target.sendKey, target.registrationToken ?? '']);
  const verdicts = new Map<string, ConformanceVerdict>();
  try {
    for (const check of chosenChecks(options.only)) {
      const from = clock.monotonic();
      const outcome = hindrance(check, verdicts) ?? (await outcomeOf(check, run));
      if (stop.aborted) break;
      verdicts.set(check.id, outcome.verdict);
      const { id, clause, title, expected } = check;
      const report = { ...outcome, sent: conceal(outcome.sent), came: conceal(outcome.came) };
      yield { id, clause, title, expected, ...report, ms: Math.round(clock.monotonic() - from) };
    }
  } finally {
    if (verdicts.get(REACHABLE) === 'PASS') await tidied(run);
  }
}

const HINDERS = { FAIL: 'failed', MISSING: 'is not there', SKIP: 'was skipped' };

/** Why a check cannot be judged after what was found before it. */
function hindrance(
  check: ConformanceCheck,
  verdicts: ReadonlyMap<string, ConformanceVerdict>,
): ConformanceOutcome | undefined {
  if (check.id === REACHABLE) return undefined;
  for (const id of [REACHABLE, ...(check.needs ?? [])]) {
    const verdict = verdicts.get(id);
    if (verdict !== 'PASS') return skip(`needs ${id}, which ${HINDERS[verdict ?? 'SKIP']}`);
  }
  const toBlame = check.unless?.find((id) => verdicts.get(id) === 'FAIL');
  return toBlame === undefined ? undefined : skip(`skipped, because ${toBlame} failed`);
}

async function outcomeOf(check: ConformanceCheck, run: ConformanceRun): Promise<ConformanceOutcome> {
  try {
    return await check.run(run);
  } catch (error) {
    if (error instanceof RateLimited)
      return skip(`rate-limited: ${error.message}`, 'as much as a running agent would');
    return judge(false, 'what the check sends', describeError(error));
  } finally {
    await run.hangUp();
  }
}

async function tidied(run: ConformanceRun): Promise<void> {
  try {
    await run.tidy();
  } catch (error) {
    // A backend that takes no requests now keeps what waits; it is marked as ours, and no agent has that id.
    if (!(error instanceof RateLimited)) throw error;
  }
}
