import { once } from 'node:events';
import type { EdgeError } from '../errors.js';
import { onOneLine } from '../logging/formatLine.js';
import { environment } from '../system/environment.js';
import { EXIT } from './exitCodes.js';
import { printable, type Terminal, terminalOf } from './terminal.js';

const guarded = new Set<NodeJS.WriteStream>();

/** Writes lines for a person to stdout, for results. A break inside one is shown, it begins no line. */
export function print(...lines: string[]): void {
  const terminal = stdoutTerminal();
  write(process.stdout, lines.map((line) => `${printable(line, terminal)}\n`).join(''));
}

/** Writes our own text of several lines to stdout, without a line break behind it. */
export function show(text: string): void {
  write(process.stdout, printableLines(text, stdoutTerminal()));
}

/**
 * Writes a result for programs to stdout: always UTF-8, indented unless `isCompact`. Terminal control characters are
 * escaped, which does not change the value.
 */
export function printJson(value: unknown, isCompact = false): void {
  const json = isCompact ? JSON.stringify(value) : JSON.stringify(value, null, 2);
  write(process.stdout, `${json.split('\n').map(onOneLine).join('\n')}\n`);
}

/** Writes a result: with `--json` as an object for programs, else as lines for a person. */
export function give(options: { json?: boolean }, result: object, ...lines: string[]): void {
  if (options.json === true) printJson({ schema: 1, ...result });
  else print(...lines);
}

/**
 * Writes lines that a person passes on, such as to a `.env`: they alone go to stdout, so that `> .env` and `KEY=$(…)` take no more. What
 * they are goes to stderr. With `--json` an object for programs instead.
 */
export function handOver(
  options: { json?: boolean },
  result: object,
  { title, lines, notes = [] }: { title: string; lines: readonly string[]; notes?: readonly string[] },
): void {
  if (options.json === true) {
    printJson({ schema: 1, ...result });
    return;
  }
  complain(title);
  print(...lines);
  complain(...notes);
}

/** Resolves when the reader of stdout has taken what was written, so that a long result does not pile up here. */
export async function drained(): Promise<void> {
  if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain');
}

/** Writes lines to stderr, for everything that is not the result. A break inside one is shown, it begins no line. */
export function complain(...lines: string[]): void {
  const terminal = terminalOf(process.stderr, environment());
  const shown = lines.filter((line) => line !== '').map((line) => `${printable(line, terminal)}\n`);
  write(process.stderr, shown.join(''));
}

/** Writes what went wrong and what to do about it to stderr. */
export function complainOf({ lines: [first, ...rest], remedy }: EdgeError): void {
  complain(`edge-agent: ${first}`, ...rest, remedy);
}

/** Writes our own text of several lines to stderr, without a line break behind it. */
export function complainAsIs(text: string): void {
  write(process.stderr, printableLines(text, terminalOf(process.stderr, environment())));
}

function printableLines(text: string, terminal: Terminal): string {
  return text
    .split('\n')
    .map((line) => printable(line, terminal))
    .join('\n');
}

/** What stdout can show. */
export function stdoutTerminal(): Terminal {
  return terminalOf(process.stdout, environment());
}

/** Whether colours are wanted there. */
export function wantsColour(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv): boolean {
  return terminalOf(stream, env).colour;
}

function write(stream: NodeJS.WriteStream, text: string): void {
  if (!guarded.has(stream)) {
    guarded.add(stream);
    stream.on('error', (error: NodeJS.ErrnoException) => end(stream, error));
  }
  stream.write(text);
}

/** The reader of our output (`| head -1`) closed it: that is not a fault. Anything else (a full disk) is one. */
function end(stream: NodeJS.WriteStream, error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit();
  if (stream === process.stdout) complain(`edge-agent: The output cannot be written: ${error.message}.`);
  process.exit(EXIT.failed);
}
