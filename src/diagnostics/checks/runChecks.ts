import { describeError } from '../../errors.js';
import type { CheckVerdict } from '../../model/operatorApi.js';
import { childEnvironment } from '../../system/childEnvironment.js';
import { type Check, type CheckContext, type ConfiguredBench, fail, type Outcome, skip } from './check.js';

/** What one check found. */
export interface Finding extends Outcome {
  readonly id: string;
  readonly title: string;
}

/** The findings in the order of the checks. `at` is ISO 8601. */
export interface Report {
  readonly schema: 1;
  readonly version: string;
  readonly at: string;
  readonly platform: string;
  readonly summary: Readonly<Record<CheckVerdict, number>>;
  readonly checks: readonly Finding[];
}

interface RunOptions {
  readonly context: CheckContext;
  readonly version: string;
  /** Takes what must not be shown out of evidence and remedies. */
  readonly conceal: (text: string) => string;
  readonly checks: readonly Check[];
  /** Called for each finding as it is made. */
  readonly onFinding?: (finding: Finding) => void;
}

/** Runs every check, one after the other. Never rejects: a check that throws has failed. */
export async function runChecks(options: RunOptions): Promise<Report> {
  const { version, conceal, onFinding } = options;
  const context = { ...options.context, env: childEnvironment(options.context.env) };
  const findings: Finding[] = [];
  for (const check of options.checks) {
    const outcome = await outcomeOf(check, context);
    const finding: Finding = {
      id: check.id,
      title: check.title,
      verdict: outcome.verdict,
      evidence: conceal(outcome.evidence),
      ...(outcome.remedy === undefined ? {} : { remedy: conceal(outcome.remedy) }),
      ...(outcome.details === undefined ? {} : { details: outcome.details }),
    };
    findings.push(finding);
    onFinding?.(finding);
  }
  const count = (verdict: CheckVerdict) => findings.filter((finding) => finding.verdict === verdict).length;
  return {
    schema: 1,
    version,
    at: new Date(context.clock.now()).toISOString(),
    platform: context.platform,
    summary: { PASS: count('PASS'), WARN: count('WARN'), FAIL: count('FAIL'), SKIP: count('SKIP') },
    checks: findings,
  };
}

async function outcomeOf(check: Check, context: CheckContext): Promise<Outcome> {
  if (check.macOnly === true && context.platform !== 'darwin') return skip('only on macOS');
  try {
    if (check.withoutConfig) return await check.run(context);
    if (!isConfigured(context)) return skip('needs a valid configuration');
    return await check.run(context);
  } catch (error) {
    const isForbidden = error instanceof Error && 'code' in error && error.code === 'EACCES';
    return fail(
      `the check itself failed: ${describeError(error)}`,
      isForbidden ? 'Run this as the user who runs the agent.' : 'Report it with this line.',
    );
  }
}

function isConfigured(context: CheckContext): context is ConfiguredBench {
  return context.config.kind === 'loaded';
}
