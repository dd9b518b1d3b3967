import type { LogLine } from '../../monitor-client/index.js';
import { fieldsOf } from './logFilter.js';

/** The end of the log and the live lines since: a line may arrive both ways, and is shown once. */
export function joined(tail: readonly LogLine[], live: readonly LogLine[]): LogLine[] {
  const last = tail.at(-1)?.at ?? '';
  const ofLast = new Set(tail.filter(({ at }) => at === last).map(wordsOf));
  // Within the millisecond of the end, only its text shows whether a line is new.
  const fresh = live.filter((line) => line.at > last || (line.at === last && !ofLast.has(wordsOf(line))));
  return [...tail, ...fresh];
}

function wordsOf(line: LogLine): string {
  return `${line.level} ${line.message} ${fieldsOf(line)}`;
}
