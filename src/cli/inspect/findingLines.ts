import type { Finding, Report } from '../../diagnostics/checks/runChecks.js';
import type { CheckVerdict } from '../../model/operatorApi.js';
import { entryLines, paint, type Style, type Terminal } from '../terminal.js';

const STYLES: Readonly<Record<CheckVerdict, Style>> = {
  PASS: 'green',
  WARN: 'yellow',
  FAIL: 'red',
  SKIP: 'dim',
};

/** Such as `runtime-signature`. */
const LONGEST_ID = 17;

/** A finding for a person: its verdict, id and evidence, then what to do about it, in lines that the terminal can hold. */
export function findingLines({ id, verdict, evidence, remedy }: Finding, terminal: Terminal): string[] {
  const shown = `${paint(terminal, STYLES[verdict], verdict)}  ${id.padEnd(LONGEST_ID)} `;
  const result = partLines(evidence, terminal, shown, ' '.repeat(LONGEST_ID + 7));
  if (remedy === undefined || remedy === '') return result;
  return [...result, ...partLines(remedy, terminal, '      → ', '        ')];
}

/** A list, such as all errors of the configuration, has one part per line: at a terminal each keeps its own line. */
function partLines(text: string, terminal: Terminal, first: string, rest: string): string[] {
  const parts = text.split(/\n\s*/);
  if (!terminal.isTerminal) return entryLines(parts.join(' '), terminal, first);
  return parts.flatMap((part, at) =>
    entryLines(part, terminal, at === 0 ? first : `${rest}  `, at === 0 ? rest : `${rest}    `),
  );
}

/** How many checks ended how, in one line. */
export function summaryLine({ summary }: Report): string {
  return `${summary.PASS} PASS, ${summary.WARN} WARN, ${summary.FAIL} FAIL, ${summary.SKIP} SKIP`;
}
