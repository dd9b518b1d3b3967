import type { Verdict } from '../checks/check.js';
import type { Finding, Report } from '../checks/runChecks.js';

const COLOURS: Readonly<Record<Verdict, number>> = { PASS: 32, WARN: 33, FAIL: 31, SKIP: 90 };

/** A finding for a person: its verdict, id and evidence on one line, what to do about it on the next. */
export function findingLines({ id, verdict, evidence, remedy }: Finding, colour: boolean): string[] {
  const shown = colour ? `\u001b[${COLOURS[verdict]}m${verdict}\u001b[0m` : verdict;
  const result = `${shown}  ${id.padEnd(16)} ${evidence}`;
  return remedy === undefined || remedy === '' ? [result] : [result, `      → ${remedy}`];
}

/** How many checks ended how, in one line. */
export function summaryLine({ summary }: Report): string {
  return `${summary.PASS} PASS, ${summary.WARN} WARN, ${summary.FAIL} FAIL, ${summary.SKIP} SKIP`;
}
