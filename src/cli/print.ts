import { environment } from '../system/environment.js';
import { EXIT } from './exitCodes.js';
import { legible, type Terminal, terminalOf } from './terminal.js';

const guarded = new Set<NodeJS.WriteStream>();

/** Writes lines for a person to stdout, for results. */
export function print(...lines: string[]): void {
  show(`${lines.join('\n')}\n`);
}

/** Writes text for a person to stdout as it is, without a line break behind it. */
export function show(text: string): void {
  write(process.stdout, legible(text, stdoutTerminal()));
}

/** Writes a result for programs to stdout: always UTF-8, indented unless `onOneLine`. */
export function printJson(value: unknown, onOneLine = false): void {
  write(process.stdout, `${onOneLine ? JSON.stringify(value) : JSON.stringify(value, null, 2)}\n`);
}

/** Writes lines to stderr, for everything that is not the result. */
export function complain(...lines: string[]): void {
  complainAsIs(`${lines.filter((line) => line !== '').join('\n')}\n`);
}

/** Writes text to stderr as it is, without a line break behind it. */
export function complainAsIs(text: string): void {
  write(process.stderr, legible(text, terminalOf(process.stderr, environment())));
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

/** Whoever read our output (`| head -1`) has seen enough: that is no fault. Anything else (a full disk) is one. */
function end(stream: NodeJS.WriteStream, error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit();
  if (stream === process.stdout) complain(`edge-agent: The output cannot be written: ${error.message}.`);
  process.exit(EXIT.failed);
}
