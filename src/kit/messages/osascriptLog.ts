import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TargetForm } from '../../messages/applescript/scripts.js';
import { isMissing } from '../../system/missingFile.js';

/** One invocation, recorded when it begins. `argv` is what follows the `-`. */
interface OsascriptCall {
  /** Unix ms. */
  readonly at: number;
  readonly pid: number;
  readonly argv: readonly string[];
}

/**
 * One `send` that the script came to. `sent`: Messages has taken the text, whatever osascript says then.
 * `refused`: Messages has not, and the error says so. A text was sent twice if two `sent` lines say so.
 */
export interface Dispatch extends OsascriptCall {
  readonly form: TargetForm;
  readonly text: string;
  readonly target: string;
  /** What a file held when it was sent; undefined for a text. */
  readonly file?: { readonly name: string; readonly sizeBytes: number; readonly sha256: string };
  readonly outcome: 'sent' | 'refused';
}

/** Appends a line in one write, also with concurrent writers; it is kept even if we are killed right after. */
export function recordCall(directory: string, call: OsascriptCall): void {
  appendFileSync(join(directory, 'calls.jsonl'), `${JSON.stringify(call)}\n`);
}

/** As `recordCall`, for a send. */
export function recordDispatch(directory: string, dispatch: Dispatch): void {
  appendFileSync(join(directory, 'sent.jsonl'), `${JSON.stringify(dispatch)}\n`);
}

/** Every invocation so far, oldest first. */
export function readCalls(directory: string): OsascriptCall[] {
  return readLines(join(directory, 'calls.jsonl')) as OsascriptCall[];
}

/** Every send so far, oldest first, refused ones included. */
export function readDispatches(directory: string): Dispatch[] {
  return readLines(join(directory, 'sent.jsonl')) as Dispatch[];
}

/** The sent texts so far, oldest first: the evidence for "sent twice". */
export function readSent(directory: string): Dispatch[] {
  return readDispatches(directory).filter(({ outcome }) => outcome === 'sent');
}

/** The lines that are whole: one that is being written has no line break yet. */
function readLines(path: string): unknown[] {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
  const lines = content.split('\n').slice(0, -1);
  return lines.map((line): unknown => JSON.parse(line));
}
