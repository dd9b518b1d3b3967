import { describeError } from '../errors.js';
import type { Clock } from '../system/clock.js';

export interface ProbeRequest {
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  /** Sent as JSON, but for a form. */
  readonly body?: object;
  readonly patienceMs: number;
}

/** `json` is undefined for a body that is not JSON. */
export type Answer =
  | { readonly kind: 'answered'; readonly status: number; readonly json: unknown; readonly text: string }
  | { readonly kind: 'failed'; readonly detail: string };

/** As much of a body as is shown. */
const SHOWN = 240;

/** One request and its answer. Never rejects; redirects are not followed, because credentials would go along. */
export async function ask(request: ProbeRequest, clock: Clock): Promise<Answer> {
  const { body, patienceMs } = request;
  const isForm = body instanceof FormData;
  const giveUp = new AbortController();
  const deadline = clock.after(patienceMs, () => giveUp.abort());
  try {
    const response = await fetch(request.url, {
      method: request.method,
      headers: { ...request.headers, ...(body && !isForm ? { 'Content-Type': 'application/json' } : {}) },
      redirect: 'manual',
      signal: giveUp.signal,
      ...(body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { kind: 'answered', status: response.status, json: parseJson(text), text };
  } catch (error) {
    if (giveUp.signal.aborted) return { kind: 'failed', detail: `no answer within ${patienceMs / 1000} s` };
    return { kind: 'failed', detail: rootCause(error) };
  } finally {
    deadline.cancel();
  }
}

export function succeeded(answer: Answer): answer is Extract<Answer, { kind: 'answered' }> {
  return answer.kind === 'answered' && answer.status >= 200 && answer.status < 300;
}

/** Whether there is no such endpoint (protocol §5). */
export function isMissing(answer: Answer): boolean {
  return answer.kind === 'answered' && [404, 405, 501].includes(answer.status);
}

export function isRefusal(answer: Answer): boolean {
  return answer.kind === 'answered' && (answer.status === 401 || answer.status === 403);
}

/** The answer in words, without tokens and shortened. */
export function described(answer: Answer): string {
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
