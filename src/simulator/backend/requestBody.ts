import type { IncomingMessage } from 'node:http';
import type { z } from 'zod';

/** The largest request body that is read, in bytes (1 MiB). */
export const BODY_LIMIT = 1024 * 1024;

/** Beyond this a sender is not being clumsy but hostile: the connection is cut instead of answered. */
const PATIENCE_BYTES = 64 * BODY_LIMIT;

/** What came of reading a request's body. `gone`: the caller hung up, so there is nobody to answer. */
export type Body =
  | { kind: 'json'; value: unknown }
  | { kind: 'malformed' }
  | { kind: 'tooLarge' }
  | { kind: 'gone' };

/**
 * Reads a whole body as JSON; an empty one is `{}`. Never throws. One that is too large is read to its end and
 * thrown away, because most clients look at the answer only after they have sent everything.
 */
export function readBody(request: IncomingMessage): Promise<Body> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= BODY_LIMIT) chunks.push(chunk);
      else chunks.length = 0;
      if (size > PATIENCE_BYTES) request.destroy();
    });
    request.on('end', () => resolve(size > BODY_LIMIT ? { kind: 'tooLarge' } : parseJson(chunks)));
    request.on('error', () => resolve({ kind: 'gone' }));
    request.on('close', () => resolve({ kind: 'gone' }));
  });
}

function parseJson(chunks: readonly Buffer[]): Body {
  const text = Buffer.concat(chunks).toString('utf8');
  if (text.trim() === '') return { kind: 'json', value: {} };
  try {
    return { kind: 'json', value: JSON.parse(text) };
  } catch {
    // The caller's mistake; it is answered with 400.
    return { kind: 'malformed' };
  }
}

/** Every mistake of a body with the path of its field, as in `command_acks[0].command_id: expected string`. */
export function fieldErrors(error: z.ZodError, root = ''): string[] {
  return error.issues.map((issue) => `${fieldPath(root, issue.path) || 'body'}: ${issue.message}`);
}

function fieldPath(root: string, path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (sofar, key) =>
      typeof key === 'number' ? `${sofar}[${key}]` : sofar === '' ? String(key) : `${sofar}.${String(key)}`,
    root,
  );
}

/** The answer to a request: a status and a JSON object. `sent` is told whether all of it was written. */
export interface Reply {
  status: number;
  body: Record<string, unknown>;
  headers?: Record<string, string>;
  sent?: (delivered: boolean) => void;
}

/** A 400 that names each field at fault. */
export function badRequest(mistakes: readonly string[]): Reply {
  return {
    status: 400,
    body: { error: 'invalid_request', message: mistakes.join('; '), fields: [...mistakes] },
  };
}

/** Parses with a schema and hands the value on, or answers 400 with the names of the fields. */
export function withBody<T>(
  schema: z.ZodType<T>,
  body: unknown,
  then: (value: T) => Reply | Promise<Reply>,
): Reply | Promise<Reply> {
  const parsed = schema.safeParse(body);
  return parsed.success ? then(parsed.data) : badRequest(fieldErrors(parsed.error));
}
