import type { LogLine } from '../../monitor-client/index.js';

const LEVELS = ['info', 'warn', 'error'] as const;

export type ShownLevel = (typeof LEVELS)[number];

/** Whether the line has that level or a worse one and all of the words, in any case and order. */
export function fits(line: LogLine, level: ShownLevel, words: string): boolean {
  const written = LEVELS.indexOf(line.level as ShownLevel);
  if (written >= 0 && written < LEVELS.indexOf(level)) return false;
  const text = `${line.message} ${fieldsOf(line)}`.toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

/** The text after the message: `key=value`, as in the log file. */
export function fieldsOf({ fields }: LogLine): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');
}
