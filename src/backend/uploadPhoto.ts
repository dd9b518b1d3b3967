import { randomHex } from '../system/random.js';
import type { HttpClient } from './HttpClient.js';
import { idempotencyKey } from './idempotencyKey.js';
import { postResult } from './postMessage.js';

/** A file with the fields that go with it. */
export interface PhotoForm {
  readonly bytes: Buffer;
  readonly name: string;
  readonly type: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** `rejected` concerns the file itself; `retry` is about us, the backend or the way between. */
export type PhotoUpload =
  | { readonly kind: 'done' }
  | { readonly kind: 'rejected'; readonly status: number; readonly detail: string }
  | { readonly kind: 'retry'; readonly retryAfterMs?: number; readonly detail: string };

/** RFC 6838: what stands in chat.db as a file's type may be anything, and must not add lines of its own. */
const MEDIA_TYPE = /^[a-z0-9][\w.+-]*\/[a-z0-9][\w.+-]*$/i;

/**
 * Uploads one file as multipart form; never throws. Its `attachment_guid` is the idempotency key. How it ends tells nothing of
 * the backend as a whole, which may have no such endpoint.
 */
export async function uploadPhoto(
  http: HttpClient,
  photo: PhotoForm,
  timeoutMs: number,
): Promise<PhotoUpload> {
  const key = photo.fields.attachment_guid ?? '';
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
export function multipart({ bytes, name, type, fields }: PhotoForm): { type: string; bytes: Buffer } {
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
