import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { describeError, EdgeError } from '../../errors.js';
import { plainIssue } from '../../system/plainIssues.js';

const side = z.enum(['agent', 'backend']);
/** Ms since the transcript began. */
const at = z.number().nonnegative();

/** Of HTTP, and not of an interim answer; 0: there was no answer. */
const status = z
  .int()
  .refine(
    (value) => value === 0 || (value >= 200 && value <= 999),
    'expected 0, or a status from 200 to 999',
  );
/** Of RFC 6455: those that a close frame can have, and 1005 and 1006 where there was none. */
const code = z
  .int()
  .refine(
    (value) => (value >= 1000 && value <= 1014 && value !== 1004) || (value >= 3000 && value <= 4999),
    'expected a close code from 1000 to 1014 (not 1004), or from 3000 to 4999',
  );

const headSchema = z.object({
  kind: z.literal('transcript'),
  schema: z.literal(1),
  version: z.string(),
  /** ISO 8601. */
  at: z.iso.datetime(),
});

const entrySchema = z.discriminatedUnion('kind', [
  z.object({ at, kind: z.literal('open'), socket: z.int() }),
  /** A handshake that was answered with a status; 0: not at all. */
  z.object({ at, kind: z.literal('refused'), socket: z.int(), status }),
  /** Without `frame`: what came was no JSON, or binary. */
  z.object({
    at,
    kind: z.literal('frame'),
    socket: z.int(),
    from: side,
    frame: z.unknown().optional(),
    bytes: z.int(),
  }),
  /** `code` 1006: it went without a close frame. */
  z.object({ at, kind: z.literal('close'), socket: z.int(), from: side, code }),
  /** Without `body`: it was no JSON. */
  z.object({
    at,
    kind: z.literal('request'),
    request: z.int(),
    method: z.string().regex(/^[A-Z]+$/, 'expected a method in capital letters'),
    /** From the root: it is appended to the address of the target. */
    path: z.string().startsWith('/', 'expected a path that begins with /'),
    body: z.unknown().optional(),
  }),
  /** `status` 0: there was none. */
  z.object({
    at,
    kind: z.literal('answer'),
    request: z.int(),
    status,
    body: z.unknown().optional(),
  }),
  /** The transcript has reached its size: what came after is not in it. */
  z.object({ at, kind: z.literal('full') }),
]);

type Head = z.infer<typeof headSchema>;
/** One thing on the wire. */
export type Entry = z.infer<typeof entrySchema>;
export type EntryOf<K extends Entry['kind']> = Extract<Entry, { kind: K }>;

export interface Transcript {
  readonly head: Head;
  /** In the order in which they happened. */
  readonly entries: readonly Entry[];
}

/** Reads a transcript. Throws an EdgeError that names the line at fault; a last line that was cut short is left out. */
export function readTranscript(path: string): Transcript {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw unreadable(`${path} cannot be read: ${describeError(error)}.`, error);
  }
  const [first = '', ...rest] = text.split('\n');
  const head = headSchema.safeParse(parse(first));
  if (!head.success) throw unreadable(`${path} is not a transcript: its first line does not identify it.`);
  // Every complete line ends with a line break, so text after the last one was truncated.
  const entries = rest.slice(0, -1).map((line, index) => {
    const entry = entrySchema.safeParse(parse(line), { error: plainIssue });
    if (entry.success) return entry.data;
    const [issue] = entry.error.issues;
    const field = issue?.path.join('.') ?? '';
    throw unreadable(
      `${path}, line ${index + 2}, is not an entry of a transcript: ${field === '' ? '' : `${field}: `}${issue?.message}.`,
    );
  });
  return { head: head.data, entries };
}

function unreadable(message: string, cause?: unknown): EdgeError {
  return new EdgeError(
    'transcript_unreadable',
    message,
    'Give a file that `edge-agent record` has written.',
    { cause },
  );
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    // Then no schema fits, and the caller names the line.
    return undefined;
  }
}
