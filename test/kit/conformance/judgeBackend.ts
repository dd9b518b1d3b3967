import type { ConformancePatience, ConformanceTarget } from '../../../src/kit/conformance/ConformanceRun.js';
import type { CheckResult } from '../../../src/kit/conformance/check.js';
import { type ConformanceOptions, runConformance } from '../../../src/kit/conformance/runConformance.js';
import { systemClock } from '../../../src/system/clock.js';

export const SECRET = 'conformance-secret-77a1';
export const AGENT = { id: 'edge_12025550143', phone: '+12025550143' };
export const OTHER = { id: 'edge_12025550144', phone: '+12025550144' };

/** Enough on a busy machine for what must come, and as little as possible for what must not. */
export const HASTE: ConformancePatience = { answerMs: 10_000, replyMs: 20_000, quietMs: 250, idleMs: 300 };

/** All that the checks find about the backend at this address. */
export async function judgeBackend(
  url: string,
  target: { [K in keyof ConformanceTarget]?: Exclude<ConformanceTarget[K], undefined> } = {},
  options: Partial<ConformanceOptions> = {},
): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  const whole: ConformanceTarget = {
    url,
    secret: SECRET,
    auth: 'token',
    agent: AGENT,
    other: OTHER,
    person: '+12025550199',
    sendUrl: `${url}/api/send-message`,
    sendKey: SECRET,
    reflexes: true,
    ...target,
  };
  const given = { clock: systemClock, version: '0.0.0', patience: HASTE, ...options };
  for await (const result of runConformance(whole, given)) results.push(result);
  return results;
}

/** The ids of the checks with this verdict. */
export function withVerdict(results: readonly CheckResult[], verdict: CheckResult['verdict']): string[] {
  return results.filter((result) => result.verdict === verdict).map(({ id }) => id);
}

/** What failed, with what was seen: for a test's message. */
export function failures(results: readonly CheckResult[]): string[] {
  return results
    .filter(({ verdict }) => verdict === 'FAIL')
    .map(({ id, sent, came }) => `${id}: ${sent} → ${came}`);
}
