import { type ClientRequest, type IncomingMessage, request as plainRequest } from 'node:http';
import { request as secureRequest } from 'node:https';
import type { Clock } from '../../system/clock.js';
import {
  isForbiddenLiteral,
  type Judgement,
  judgedOptions,
  onceConnected,
} from '../../system/judgedConnection.js';
import { PrivateAddressError } from '../../system/publicAddresses.js';

/** The longest answer that is read, in bytes; a longer one is cut off. */
const MOST_BYTES = 64 * 1024;

/** What came of one attempt. `body` null: the answer was longer than is read. `error` names nothing of the URL. */
export type PostedWebhook =
  | { kind: 'answered'; status: number; body: string | null; retryAfterMs: number }
  | { kind: 'failed'; error: string }
  | { kind: 'stopped' };

interface WebhookCallOptions extends Judgement {
  readonly clock: Clock;
  /** For the whole, in ms. */
  readonly timeoutMs: number;
  readonly stop: AbortSignal;
  /**
   * Called once the connection is established, before anything is written to it. False: it is not posted, and counts as
   * stopped.
   */
  readonly mayBegin: () => Promise<boolean>;
  readonly userAgent: string;
}

/**
 * Posts one webhook. Follows no redirect, connects to judged addresses alone, reads 64 KiB of the answer at most. Never rejects; ends
 * within `timeoutMs`.
 */
export async function postWebhook(
  to: string,
  body: string,
  headers: Readonly<Record<string, string>>,
  options: WebhookCallOptions,
): Promise<PostedWebhook> {
  const deadline = new AbortController();
  const timer = options.clock.after(options.timeoutMs, () => deadline.abort());
  try {
    const signal = AbortSignal.any([deadline.signal, options.stop]);
    const posted = await post(new URL(to), body, headers, options, signal);
    if (posted.kind !== 'failed') return posted;
    if (options.stop.aborted) return { kind: 'stopped' };
    if (!deadline.signal.aborted) return posted;
    return { kind: 'failed', error: `no whole answer within ${options.timeoutMs / 1000} s` };
  } finally {
    timer.cancel();
  }
}

async function post(
  url: URL,
  body: string,
  headers: Readonly<Record<string, string>>,
  options: WebhookCallOptions,
  signal: AbortSignal,
): Promise<PostedWebhook> {
  if (isForbiddenLiteral(url, options.mayReach)) return failure(new PrivateAddressError());
  const way = await judgedOptions(url, options);
  if (way instanceof Error) return failure(way);
  const request = url.protocol === 'https:' ? secureRequest : plainRequest;
  return new Promise((resolve) => {
    const asked = request(url, {
      ...options.outbound.once(url),
      ...way.options,
      method: 'POST',
      signal,
      headers: {
        ...headers,
        Host: url.host,
        'Content-Type': 'application/json',
        'Content-Length': Buffer.byteLength(body),
        'Accept-Encoding': 'identity',
        'User-Agent': options.userAgent,
      },
    });
    way.watch(asked);
    asked.on('error', (error) => resolve(failure(error)));
    asked.on('response', (response) => {
      readAnswer(response, (posted) => {
        resolve(posted);
        asked.destroy();
      });
    });
    onceConnected(asked, () => {
      // Nothing was written so far, its head neither.
      options.mayBegin().then(
        (may) => {
          if (may) asked.end(body);
          else stop(asked, resolve);
        },
        () => stop(asked, resolve),
      );
    });
  });
}

function stop(asked: ClientRequest, resolve: (posted: PostedWebhook) => void): void {
  resolve({ kind: 'stopped' });
  asked.destroy();
}

function readAnswer(response: IncomingMessage, end: (posted: PostedWebhook) => void): void {
  const status = response.statusCode ?? 0;
  const retryAfterMs = seconds(response.headers['retry-after']) * 1000;
  const answered = (body: string | null) => end({ kind: 'answered', status, body, retryAfterMs });
  if (status >= 300) {
    // The rest of its answer is ignored.
    answered('');
    return;
  }
  const chunks: Buffer[] = [];
  let size = 0;
  response.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > MOST_BYTES) answered(null);
    else chunks.push(chunk);
  });
  response.on('error', (error) => end(failure(error)));
  response.on('end', () => {
    if (response.complete) answered(Buffer.concat(chunks).toString('utf8'));
    else end({ kind: 'failed', error: 'the answer broke off' });
  });
}

/** `Retry-After` in seconds; other forms count as 0. */
function seconds(header: string | undefined): number {
  return /^\d{1,6}$/.test(header ?? '') ? Number(header) : 0;
}

function failure(error: Error): PostedWebhook {
  if (error instanceof PrivateAddressError) return { kind: 'failed', error: error.message };
  return { kind: 'failed', error: `no answer (${'code' in error ? String(error.code) : error.name})` };
}
