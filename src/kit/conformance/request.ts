import { NO_SUCH_ENDPOINT } from '../../backend/HttpClient.js';
import { describeError } from '../../errors.js';
import type { Clock } from '../../system/clock.js';
import { type Patient, patiently } from './rateLimit.js';

export interface ProbeRequest {
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  /** Sent as JSON, but for a form. */
  readonly body?: object;
  readonly patienceMs: number;
  /** Ends the wait for an answer. */
  readonly signal?: AbortSignal | undefined;
}

/** `askedAt`: monotonic ms of the attempt that was answered. `json` is undefined for a body that is not JSON. */
export type RequestAnswer =
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly json: unknown;
      readonly text: string;
      readonly askedAt: number;
    }
  | { readonly kind: 'failed'; readonly detail: string; readonly askedAt: number };

/** As much of a body as is shown. */
const SHOWN = 240;

/**
 * One request and its answer; redirects are not followed, because credentials would go along. Where the backend asks for it
 * (429), the request is made again later; rejects with `RateLimited` when that is too late, and for nothing else.
 */
export function ask(request: ProbeRequest, patient: Patient): Promise<RequestAnswer> {
  return patiently(patient, () => attempt(request, patient.clock));
}

async function attempt(
  request: ProbeRequest,
  clock: Clock,
): Promise<{ result: RequestAnswer; limited?: { retryAfter: string | null } }> {
  const { body, patienceMs, signal } = request;
  const askedAt = clock.monotonic();
  const failed = (detail: string) => ({ result: { kind: 'failed', detail, askedAt } as const });
  const isForm = body instanceof FormData;
  const giveUp = new AbortController();
  const deadline = clock.after(patienceMs, () => giveUp.abort());
  try {
    const response = await fetch(request.url, {
      method: request.method,
      headers: { ...request.headers, ...(body && !isForm ? { 'Content-Type': 'application/json' } : {}) },
      redirect: 'manual',
      signal: signal === undefined ? giveUp.signal : AbortSignal.any([giveUp.signal, signal]),
      ...(body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const { status, headers } = response;
    const result = { kind: 'answered', status, json: parseJson(text), text, askedAt } as const;
    return status === 429 ? { result, limited: { retryAfter: headers.get('retry-after') } } : { result };
  } catch (error) {
    if (giveUp.signal.aborted) return failed(`no answer within ${patienceMs / 1000} s`);
    return failed(rootCause(error));
  } finally {
    deadline.cancel();
  }
}

export function succeeded(answer: RequestAnswer): answer is Extract<RequestAnswer, { kind: 'answered' }> {
  return answer.kind === 'answered' && answer.status >= 200 && answer.status < 300;
}

/** Undefined when nothing was answered. */
export function statusOf(answer: RequestAnswer): number | undefined {
  return answer.kind === 'answered' ? answer.status : undefined;
}

/** Whether there is no such endpoint (protocol §5). */
export function isMissing(answer: RequestAnswer): boolean {
  return NO_SUCH_ENDPOINT.has(statusOf(answer) ?? 0);
}

export function isRefusal(answer: RequestAnswer): boolean {
  return answer.kind === 'answered' && (answer.status === 401 || answer.status === 403);
}

/** The answer in words, without tokens and shortened. */
export function described(answer: RequestAnswer): string {
  if (answer.kind === 'failed') return answer.detail;
  const text = answer.text
    .replace(/("\w*token"\s*:\s*)"[^"]*"/g, '$1"[secret]"')
    .replace(/\s+/g, ' ')
    .trim();
  return `HTTP ${answer.status}${text === '' ? ', no body' : ` ${clip(text)}`}`;
}

/** A text fit for one line of a report. */
export function clip(text: string): string {
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}…`;
}

/** fetch says only "fetch failed"; what happened is its cause. */
function rootCause(error: unknown): string {
  return error instanceof Error && error.cause instanceof Error
    ? describeError(error.cause)
    : describeError(error);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A page of HTML is an answer too; undefined says "not JSON".
    return undefined;
  }
}
