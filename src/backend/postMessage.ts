import type { PostResult } from '../model/incoming.js';
import { backendWords } from '../system/backendWords.js';
import type { HttpClient, HttpOutcome, HttpProgress } from './HttpClient.js';
import { idempotencyKey } from './idempotencyKey.js';

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
export function postResult(outcome: HttpOutcome): BackendVerdict {
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
