import type { IncomingMessage } from 'node:http';
import type { z } from 'zod';
import { fieldErrors, plainIssue } from '../../system/plainIssues.js';
import { decodeUtf8 } from '../../system/utf8.js';

/** The largest request body that is read, in bytes (1 MiB). */
export const BODY_LIMIT = 1024 * 1024;

/** The largest form with files that is read, in bytes (16 MiB). */
export const FORM_LIMIT = 16 * BODY_LIMIT;

/** The fields of a form, and its files, as a browser would have sent them. */
interface Form {
  readonly fields: Readonly<Record<string, string>>;
  readonly files: readonly { field: string; name: string; type: string; bytes: Buffer }[];
}

/** Beyond this a sender is not being clumsy but hostile: the connection is cut instead of answered. */
const PATIENCE_BYTES = 64 * BODY_LIMIT;

/** The result of reading a request's body. `gone`: the caller disconnected, so there is no one to answer. */
type Body =
  | { kind: 'json'; value: unknown }
  | { kind: 'form'; form: Form }
  | { kind: 'malformed' }
  | { kind: 'tooLarge'; limit: number }
  | { kind: 'gone' };

/**
 * Reads a whole body as JSON (an empty one is `{}`) or as a form with files. Never throws. One that is too large is read to its end and
 * thrown away, because most clients look at the answer only after they have sent everything. `limit` in bytes.
 */
export function readBody(request: IncomingMessage, limit: number): Promise<Body> {
  // The caller may have hung up while its credentials were looked at: then nothing more comes.
  if (request.destroyed) return Promise.resolve({ kind: 'gone' });
  const type = request.headers['content-type'] ?? '';
  const isForm = /^multipart\/form-data\b/i.test(type);
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limit) chunks.push(chunk);
      else chunks.length = 0;
      if (size > PATIENCE_BYTES) request.destroy();
    });
    request.on('end', () => {
      if (size > limit) resolve({ kind: 'tooLarge', limit });
      else if (isForm) void parseForm(chunks, type).then(resolve);
      else resolve(parseJson(chunks));
    });
    request.on('error', () => resolve({ kind: 'gone' }));
    request.on('close', () => {
      // Reading a form continues for a moment after the request has ended.
      if (!request.readableEnded) resolve({ kind: 'gone' });
    });
  });
}

function parseJson(chunks: readonly Buffer[]): Body {
  const text = decodeUtf8(Buffer.concat(chunks));
  if (text.trim() === '') return { kind: 'json', value: {} };
  try {
    return { kind: 'json', value: JSON.parse(text) };
  } catch {
    // The caller's mistake; it is answered with 400.
    return { kind: 'malformed' };
  }
}

async function parseForm(chunks: readonly Buffer[], type: string): Promise<Body> {
  let data: FormData;
  try {
    data = await new Response(Buffer.concat(chunks), { headers: { 'Content-Type': type } }).formData();
  } catch {
    // The caller's mistake; it is answered with 400.
    return { kind: 'malformed' };
  }
  const fields: Record<string, string> = {};
  const files: Form['files'][number][] = [];
  for (const [field, value] of data) {
    if (typeof value === 'string') fields[field] = value;
    else {
      const bytes = Buffer.from(await value.arrayBuffer());
      files.push({ field, name: value.name, type: value.type, bytes });
    }
  }
  return { kind: 'form', form: { fields, files } };
}

/** The answer to a request: a status and a JSON object. `sent` is called with whether all of it was written. */
export interface HttpReply {
  status: number;
  body: Record<string, unknown>;
  headers?: Record<string, string>;
  sent?: (delivered: boolean) => void;
}

/** A 503: the same request may succeed later, not before so many seconds where they are given. */
export function unavailable(message: string, retryAfterSeconds?: number): HttpReply {
  return {
    status: 503,
    body: { error: 'unavailable', message },
    headers: retryAfterSeconds === undefined ? undefined : { 'Retry-After': String(retryAfterSeconds) },
  };
}

/** A 400 that names each field at fault. */
export function badRequest(mistakes: readonly string[]): HttpReply {
  return {
    status: 400,
    body: { error: 'invalid_request', message: mistakes.join('; '), fields: [...mistakes] },
  };
}

/** Parses with a schema and hands the value on, or answers 400 with the names of the fields. */
export function withBody<T>(
  schema: z.ZodType<T>,
  body: unknown,
  then: (value: T) => HttpReply | Promise<HttpReply>,
): HttpReply | Promise<HttpReply> {
  const parsed = schema.safeParse(body, { error: plainIssue });
  return parsed.success ? then(parsed.data) : badRequest(fieldErrors(parsed.error));
}
