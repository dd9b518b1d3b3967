import { closeSync, existsSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { describeError, EdgeError } from '../../errors.js';
import { announcement } from '../../kit/conformance/announcement.js';
import type { ConformanceTarget } from '../../kit/conformance/ConformanceRun.js';
import type { CheckResult } from '../../kit/conformance/check.js';
import { CHECKS } from '../../kit/conformance/checks.js';
import { junitXml } from '../../kit/conformance/junit.js';
import { headline, LAST_OF_PRESENCE, nextToBuild } from '../../kit/conformance/nextStep.js';
import { runConformance } from '../../kit/conformance/runConformance.js';
import { systemClock } from '../../system/clock.js';
import { environment } from '../../system/environment.js';
import { packageVersion } from '../../system/version.js';
import { isSomebodyThere, yesOrNo } from '../config/ask.js';
import { EXIT } from '../exitCodes.js';
import { INTERRUPTED, interruption } from '../interruption.js';
import { complain, complainOf, print, printJson, stdoutTerminal } from '../print.js';
import { paint, type Style } from '../terminal.js';
import { type ConformanceFlags, readTarget } from './conformanceTarget.js';

const STYLES: Readonly<Record<CheckResult['verdict'], Style>> = {
  PASS: 'green',
  FAIL: 'red',
  MISSING: 'yellow',
  SKIP: 'dim',
};

/**
 * Acts as an agent towards a backend and says what to build next, and then, check by check, what is wrong. First shows
 * what it will do, and asks at a terminal. Exit 0 without a FAIL and with all required endpoints, 1 otherwise, 2 if
 * nothing was tested, 130 if it was stopped by a signal: then nothing waits at the backend either.
 */
export async function conformance(options: ConformanceFlags, address: string): Promise<number> {
  const only = options.only?.split(',').map((id) => id.trim());
  const unknown = only?.find((id) => !CHECKS.some((check) => check.id === id));
  if (unknown !== undefined) {
    complain(
      `edge-agent: --only: there is no check "${unknown}".`,
      `There are: ${CHECKS.map(({ id }) => id).join(', ')}`,
    );
    return EXIT.usage;
  }
  let target: ConformanceTarget;
  try {
    target = readTarget(options, address, environment());
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    complainOf(error);
    return EXIT.usage;
  }
  const unwritable = options.junit === undefined ? undefined : whyUnwritable(options.junit);
  if (unwritable !== undefined) {
    complain(`edge-agent: --junit: ${options.junit} cannot be written: ${unwritable}`);
    return EXIT.usage;
  }
  complain(...announcement(target));
  const isAsked = isSomebodyThere() && options.yes !== true;
  if (isAsked && !(await yesOrNo('Go on?', 'yes'))) return EXIT.usage;

  const at = new Date(systemClock.now()).toISOString();
  const results: CheckResult[] = [];
  const stop = interruption();
  stop.addEventListener('abort', () => complain('Stopping; cleaning up first.'));
  const checks = runConformance(target, {
    clock: systemClock,
    version: packageVersion(),
    slow: options.slow ?? false,
    stop,
    ...(only === undefined ? {} : { only }),
  });
  let shown = 0;
  const show = () => {
    // The first line says what to build next, so that it waits for the checks that know.
    if (shown === 0 && only === undefined) print(headline(results), '');
    for (const result of results.slice(shown)) print(...lines(result));
    shown = results.length;
  };
  for await (const result of checks) {
    results.push(result);
    const isKnown = only !== undefined || results.some(({ id }) => id === LAST_OF_PRESENCE);
    if (!options.json && isKnown) show();
  }
  if (stop.aborted) return INTERRUPTED;
  const next = nextToBuild(results);
  const count = (verdict: CheckResult['verdict']) => results.filter((one) => one.verdict === verdict).length;
  const summary = {
    PASS: count('PASS'),
    FAIL: count('FAIL'),
    MISSING: count('MISSING'),
    SKIP: count('SKIP'),
  };
  if (options.json) {
    printJson({
      schema: 1,
      version: packageVersion(),
      backend: target.url,
      at,
      next: next ?? null,
      summary,
      checks: results,
    });
  } else {
    const { PASS, FAIL, MISSING, SKIP } = summary;
    print('', `${PASS} PASS, ${FAIL} FAIL, ${MISSING} MISSING, ${SKIP} SKIP`);
  }
  if (options.junit !== undefined && !saved(options.junit, junitXml(results, target.url, at)))
    return EXIT.failed;
  if (summary.FAIL > 0 || next !== undefined) return EXIT.failed;
  // A backend that answers everything with 429 was not judged.
  return summary.PASS > 0 ? EXIT.ok : EXIT.usage;
}

/** One line for what is well, four for what is not. */
function lines({ id, clause, title, verdict, sent, came, expected, latency }: CheckResult): string[] {
  const head = `${paint(stdoutTerminal(), STYLES[verdict], verdict)}  ${id.padEnd(22)} ${title}`;
  switch (verdict) {
    case 'PASS':
      return [latency ? `${head} (p50 ${latency.p50_ms} ms, longest ${latency.longest_ms} ms)` : head];
    case 'MISSING':
    case 'SKIP':
      return [head, `      ${came}`];
    case 'FAIL':
      return [
        head,
        `      sent      ${sent}`,
        `      came      ${came}`,
        `      expected  ${expected}`,
        `      clause    ${clause} of docs/protocol.md`,
      ];
  }
}

/** Seen before the run, because after it the results would be lost. Leaves the file as it is. */
function whyUnwritable(path: string): string | undefined {
  const isNew = !existsSync(path);
  try {
    closeSync(openSync(path, 'a'));
    if (isNew) rmSync(path);
    return undefined;
  } catch (error) {
    return describeError(error);
  }
}

function saved(path: string, text: string): boolean {
  try {
    writeFileSync(path, text);
    return true;
  } catch (error) {
    complain(`edge-agent: --junit: ${path} cannot be written: ${describeError(error)}`);
    return false;
  }
}
