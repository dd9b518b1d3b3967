import type { Photo, PhotoResult, PostResult } from '../model/incoming.js';
import { backendWords } from '../system/backendWords.js';
import { randomHex } from '../system/random.js';
import type { HttpClient, HttpOutcome, HttpProgress } from './HttpClient.js';

/** What the backend made of it; that the agent itself can make no post of it is not its word. */
type BackendVerdict = Exclude<PostResult, { kind: 'unusable' }>;

const REJECTED: ReadonlySet<number> = new Set([400, 413, 415, 422]);
const BUSY: ReadonlySet<number> = new Set([408, 425, 429]);

/** Posts one message; never throws. */
export async function postMessage(
  http: HttpClient,
  body: object,
  guid: string,
  timeoutMs: number,
  progress?: HttpProgress,
): Promise<BackendVerdict> {
  const headers = { 'Idempotency-Key': idempotencyKey(guid) };
  const watched = progress === undefined ? {} : { progress };
  return postResult(
    await http.post({ path: '/edge/message', body, headers, timeoutMs, isAboutOne: true, ...watched }),
  );
}

/** Reads the end of the request as the fate of the message. */
function postResult(outcome: HttpOutcome): BackendVerdict {
  if (outcome.kind === 'failed') {
    const { cause, unsent, detail } = outcome;
    const unread = unsent === true ? ({ unread: true } as const) : {};
    if (cause === 'too_large') return { kind: 'retry', cause: 'server', detail };
    return { kind: 'retry', cause, ...unread, detail };
  }
  const { status, detail } = outcome;
  if (outcome.kind === 'ok') {
    if (outcome.json !== undefined) return { kind: 'answered', body: outcome.json };
    return { kind: 'retry', cause: 'server', status, detail: `${detail} without JSON` };
  }
  if (status === 409) return { kind: 'known' };
  const said = backendWords(outcome.json);
  const words = said === undefined ? {} : { words: said };
  if (REJECTED.has(status)) return { kind: 'rejected', status, detail, ...words };
  const later = outcome.retryAfterMs === undefined ? {} : { retryAfterMs: outcome.retryAfterMs };
  return { kind: 'retry', cause: retryCause(status), status, ...later, detail, ...words };
}

function retryCause(status: number): Extract<BackendVerdict, { kind: 'retry' }>['cause'] {
  if (status >= 500) return 'server';
  if (BUSY.has(status)) return 'busy';
  if (status === 401 || status === 403) return 'unauthorised';
  return status === 404 ? 'not_found' : 'other';
}

/** RFC 6838: what stands in chat.db as a file's type may be anything, and must not add lines of its own. */
const MEDIA_TYPE = /^[a-z0-9][\w.+-]*\/[a-z0-9][\w.+-]*$/i;

/**
 * Uploads one file as multipart form; never throws. Its `attachment_guid` is the idempotency key. How it ends tells nothing of
 * the backend as a whole, which may have no such endpoint.
 */
export async function uploadPhoto(http: HttpClient, photo: Photo, timeoutMs: number): Promise<PhotoResult> {
  const key = photo.fields.attachment_guid;
  const result = postResult(
    await http.post({
      path: '/photo/upload',
      body: null,
      content: multipart(photo),
      headers: { 'Idempotency-Key': idempotencyKey(key) },
      timeoutMs,
      aside: true,
    }),
  );
  if (result.kind === 'answered' || result.kind === 'known') return { kind: 'done' };
  return result;
}

/** RFC 7578 as browsers write it: quotes and line breaks of names are escaped, the file comes last. */
export function multipart({ bytes, name, type, fields }: Photo): { type: string; bytes: Buffer } {
  const boundary = `edge-agent-${randomHex(18)}`;
  const head = (disposition: string) => `--${boundary}\r\nContent-Disposition: form-data; ${disposition}`;
  const parts = Object.entries(fields).map(
    ([field, value]) => `${head(`name="${escaped(field)}"`)}\r\n\r\n${value}\r\n`,
  );
  const fileType = MEDIA_TYPE.test(type) ? type : 'application/octet-stream';
  const file = `${head(`name="file"; filename="${escaped(name)}"`)}\r\nContent-Type: ${fileType}\r\n\r\n`;
  return {
    type: `multipart/form-data; boundary=${boundary}`,
    bytes: Buffer.concat([Buffer.from(parts.join('') + file), bytes, Buffer.from(`\r\n--${boundary}--\r\n`)]),
  };
}

function escaped(text: string): string {
  return text.replaceAll('\r', '%0D').replaceAll('\n', '%0A').replaceAll('"', '%22');
}

/**
 * The value of the header `Idempotency-Key` for a guid: percent-encoded UTF-8. Never throws and never gives two guids one value:
 * half of a UTF-16 character, which a damaged chat.db may hold and `encodeURIComponent` refuses, is encoded by its own three bytes.
 */
export function idempotencyKey(guid: string): string {
  return [...guid].map((character) => encodeURIComponentOrHalf(character)).join('');
}

function encodeURIComponentOrHalf(character: string): string {
  const unit = character.charCodeAt(0);
  const isHalf = character.length === 1 && unit >= 0xd800 && unit <= 0xdfff;
  if (!isHalf) return encodeURIComponent(character);
  const bytes = [0xe0 | (unit >> 12), 0x80 | ((unit >> 6) & 0x3f), 0x80 | (unit & 0x3f)];
  return bytes.map((byte) => `%${byte.toString(16).toUpperCase()}`).join('');
}
