import { closeSync, fstatSync, openSync } from 'node:fs';
import { linesFromEnd } from '../../logging/linesFromEnd.js';

const MOST_BYTES = 1024 * 1024;

/** The end of a file, at most 1 MB, from the beginning of a line. Throws what the file system throws. */
export function tail(path: string): string {
  const fd = openSync(path, 'r');
  try {
    const lines = [...linesFromEnd(fd, fstatSync(fd).size, MOST_BYTES)];
    return lines.toReversed().join('\n');
  } finally {
    closeSync(fd);
  }
}

const TEXT_LINE = /^\[[^\]]+\] \[(?:INFO|WARN|ERROR)\] /;
const JSON_LINE = /^\{"time":"[^"]*","level":"(?:info|warn|error)",/;

/**
 * The last lines of our log, of both formats, without those of level debug, which may hold message texts, and without
 * anything that is no line of ours. The first line says how many were left out.
 */
export function loggedLines(text: string, most: number): string {
  const lines = text.split('\n').filter((line) => line !== '');
  const fit = lines.filter((line) => TEXT_LINE.test(line) || JSON_LINE.test(line));
  const shown = fit.slice(-most);
  return `# ${lines.length - fit.length} lines of level debug omitted\n${shown.join('\n')}\n`;
}
