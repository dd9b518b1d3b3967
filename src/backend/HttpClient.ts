import * as http from 'node:http';
import * as https from 'node:https';
import { describeError } from '../errors.js';
import type { Photo, PhotoResult, PostResult } from '../model/incoming.js';
import { backendWords } from '../system/backendWords.js';
import type { Clock } from '../system/clock.js';
import { INPUT_LIMITS } from '../system/inputLimits.js';
import { JsonPieces } from '../system/jsonShape.js';
import type { Outbound, WayOut } from '../system/Outbound.js';
import { type Random, randomHex } from '../system/random.js';
import { Utf8Stream } from '../system/utf8.js';
import type { DatedHeaders } from './BackendTime.js';

/** Largest response read, unless the request says otherwise. */
const ANSWER_LIMITS: AnswerLimits = { bytes: 16 * 1024 * 1024, pieces: INPUT_LIMITS.answerPieces };

/** More than all posts of messages that may hang at once, so that syncs and acks always find a connection. */
const MAX_SOCKETS = 96;

/** The hooks of a request in progress. */
export interface HttpProgress {
  /** The whole request was written to an established connection (TLS included). */
  readonly onWritten: () => void;
  /**
   * Called right before the request is automatically sent again because its kept-alive connection was closed: it is
   * written again, and the backend may read it twice.
   */
  readonly onResend: () => void;
}

/** How large an answer may be, in bytes, and of how many pieces of JSON (JsonPieces). */
interface AnswerLimits {
  readonly bytes: number;
  readonly pieces: number;
}

export interface HttpRequest {
  /** Appended to the base URL, whose path prefix is kept. */
  readonly path: string;
  readonly body: unknown;
  /** Sent in the place of `body` as JSON. */
  readonly content?: { readonly type: string; readonly bytes: Buffer };
  /** It is about one message alone: that it is refused says nothing of our credentials. */
  readonly isAboutOne?: true;
  /** Its result says nothing about the backend as a whole, so those listeners are not called. */
  readonly aside?: true;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** May go without credentials where there are none: the registration. */
  readonly anonymous?: boolean;
  readonly signal?: AbortSignal;
  readonly progress?: HttpProgress;
  /** Largest response read; 16 MiB and INPUT_LIMITS.answerPieces unless given. */
  readonly most?: AnswerLimits;
}

/** Every end that a request can have: a 2xx, any other status, no answer. `json` is undefined for a body that is not JSON. */
export type HttpOutcome =
  | { readonly kind: 'ok'; readonly status: number; readonly json: unknown; readonly detail: string }
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly json: unknown;
      readonly retryAfterMs?: number;
      readonly detail: string;
    }
  | {
      readonly kind: 'failed';
      readonly cause: 'network' | 'timeout' | 'too_large' | 'aborted' | 'unauthorised';
      /** No connection was there to carry it: the backend cannot have read it. */
      readonly unsent?: true;
      readonly detail: string;
    };

interface HttpPorts {
  readonly clock: Clock;
  readonly outbound: Outbound;
  readonly base: () => string;
  /** The headers of this request, minted now; or why none may be sent. */
  readonly headers: (
    url: string,
    anonymous: boolean,
  ) => { readonly headers: Record<string, string> } | { readonly refused: string };
  /** Called at each end, in order of ending, before the caller. */
  readonly onOutcome: (request: HttpRequest, outcome: HttpOutcome) => void;
  /** Called with the `Date` of each answer that comes from the backend itself, before its content is read. */
  readonly onDate?: (headers: DatedHeaders) => void;
}

/** Statuses of a backend that has no such endpoint (protocol §2, §5, §6). */
export const NO_SUCH_ENDPOINT: ReadonlySet<number> = new Set([404, 405, 501]);

/**
 * POSTs JSON, or a form, to the backend over kept-alive connections. Never throws and never hangs: each request ends by its own
 * deadline. Redirects are never followed, because credentials would go along.
 */
export class HttpClient {
  /** One for each way to the backend that there was: a changed proxy or certificate makes another. */
  private readonly agents = new Map<WayOut, http.Agent>();
  private readonly inFlight = new Set<(detail: string) => void>();

  constructor(private readonly ports: HttpPorts) {}

  async post(request: HttpRequest): Promise<HttpOutcome> {
    const outcome = await this.attempt(request);
    if (request.aside !== true) this.ports.onOutcome(request, outcome);
    return outcome;
  }

  /** Cuts what is in flight and closes the kept connections. */
  close(): void {
    for (const abort of [...this.inFlight]) abort('the agent is stopping');
    for (const agent of this.agents.values()) agent.destroy();
    this.agents.clear();
  }

  private agentOf(route: WayOut): http.Agent {
    const agent = this.agents.get(route) ?? route.agent({ keepAlive: true, maxSockets: MAX_SOCKETS });
    this.agents.set(route, agent);
    return agent;
  }

  private attempt(request: HttpRequest): Promise<HttpOutcome> {
    const base = this.ports.base().replace(/\/+$/, '');
    if (!URL.canParse(base)) return Promise.resolve(unusable(`"${base}" is not a URL`));
    const url = new URL(`${base}${request.path}`);
    const granted = this.ports.headers(url.href, request.anonymous === true);
    if ('refused' in granted)
      return Promise.resolve({
        kind: 'failed',
        cause: 'unauthorised',
        unsent: true,
        detail: granted.refused,
      });
    const payload = request.content?.bytes ?? Buffer.from(JSON.stringify(request.body));
    const headers = {
      ...granted.headers,
      'Content-Type': request.content?.type ?? 'application/json',
      Accept: 'application/json',
      'Content-Length': payload.length,
      ...request.headers,
    };
    return new Promise((resolve) => {
      let ended = false;
      let connected = false;
      let sent: http.ClientRequest | undefined;
      const end = (outcome: HttpOutcome) => {
        if (ended) return;
        ended = true;
        deadline.cancel();
        request.signal?.removeEventListener('abort', onAbort);
        this.inFlight.delete(abort);
        if (outcome.kind === 'failed') sent?.destroy();
        resolve(outcome.kind === 'failed' && !connected ? { ...outcome, unsent: true } : outcome);
      };
      const abort = (detail: string) => end({ kind: 'failed', cause: 'aborted', detail });
      const onAbort = () => abort('given up');
      const deadline = this.ports.clock.after(request.timeoutMs, () =>
        end({ kind: 'failed', cause: 'timeout', detail: `no answer within ${request.timeoutMs / 1_000} s` }),
      );
      this.inFlight.add(abort);
      if (request.signal?.aborted) return onAbort();
      request.signal?.addEventListener('abort', onAbort, { once: true });

      const send = (again: boolean) => {
        const secure = url.protocol === 'https:';
        const route = this.ports.outbound.route(url);
        const agent = this.agentOf(route);
        const current = (secure ? https : http).request(url, {
          ...route.tls,
          method: 'POST',
          headers,
          agent,
        });
        sent = current;
        // Data written before the handshake is finished is only buffered.
        const done = { established: false, finished: false };
        const note = (what: keyof typeof done) => {
          done[what] = true;
          connected ||= done.established;
          if (done.established && done.finished && !ended) request.progress?.onWritten();
        };
        current.on('socket', (socket) => {
          const isNew = socket.connecting || Reflect.get(socket, 'secureConnecting') === true;
          if (!isNew) note('established');
          else socket.once(secure ? 'secureConnect' : 'connect', () => note('established'));
        });
        current.on('finish', () => note('finished'));
        current.on('response', (response) => this.read(url, response, request.most ?? ANSWER_LIMITS, end));
        current.on('error', (error) => {
          // The backend closed a kept connection just as we used it, so a fresh one is tried; all requests are idempotent.
          const stale = current.reusedSocket && (error as NodeJS.ErrnoException).code === 'ECONNRESET';
          if (stale && !again && !ended) {
            request.progress?.onResend();
            send(true);
          } else end({ kind: 'failed', cause: 'network', detail: describeNetworkError(error) });
        });
        current.end(payload);
      };
      try {
        send(false);
      } catch (error) {
        end({ kind: 'failed', cause: 'network', detail: describeNetworkError(error) });
      }
    });
  }

  private read(
    url: URL,
    response: http.IncomingMessage,
    most: AnswerLimits,
    end: (outcome: HttpOutcome) => void,
  ): void {
    // Decoded as it comes: what is not kept as bytes too takes half the memory.
    const chunks: string[] = [];
    const decoder = new Utf8Stream();
    const pieces = new JsonPieces();
    let size = 0;
    const tooLarge = (detail: string) => end({ kind: 'failed', cause: 'too_large', detail });
    response.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > most.bytes) return tooLarge(`the answer is larger than ${most.bytes} bytes`);
      const text = decoder.add(chunk);
      if (pieces.add(text).count > most.pieces)
        return tooLarge(`the answer has more than ${most.pieces} objects, lists and commas`);
      chunks.push(text);
    });
    response.on('error', (error) =>
      end({ kind: 'failed', cause: 'network', detail: describeNetworkError(error) }),
    );
    response.on('aborted', () =>
      end({ kind: 'failed', cause: 'network', detail: 'the answer was incomplete' }),
    );
    response.on('end', () => {
      const status = response.statusCode ?? 0;
      const json = parseJson(chunks.splice(0).join('') + decoder.end());
      if (isOfBackend(status, json)) this.ports.onDate?.(response.headers);
      if (status >= 200 && status < 300) {
        end({ kind: 'ok', status, json, detail: `HTTP ${status}` });
        return;
      }
      const host = status >= 300 && status < 400 && redirectHost(response.headers.location, url.href);
      const retryAfterMs = parseRetryAfter(
        response.headers['retry-after'],
        dateOf(response) ?? this.ports.clock.now(),
      );
      end({
        kind: 'status',
        status,
        json,
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
        detail: host ? `HTTP ${status}: redirect to ${host} not followed` : `HTTP ${status}`,
      });
    });
  }
}

function unusable(detail: string): HttpOutcome {
  return { kind: 'failed', cause: 'network', unsent: true, detail };
}

/** A proxy or a captive portal answers too: its time is not the backend's. A wrong clock is refused by 401 or 403. */
function isOfBackend(status: number, json: unknown): boolean {
  return (status >= 200 && status < 300 && json !== undefined) || status === 401 || status === 403;
}

/** When an answer was made, by its own clock (Unix ms): a `Retry-After` that is a date goes by the same one. */
export function dateOf({ headers }: http.IncomingMessage): number | undefined {
  const at = headers.date === undefined ? Number.NaN : Date.parse(headers.date);
  return Number.isNaN(at) ? undefined : at;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A proxy's HTML page is an expected answer; undefined says "not JSON".
    return undefined;
  }
}

/** The words of a failed connection, for a person: never empty, also for Node's wordless AggregateError. */
export function describeNetworkError(error: unknown): string {
  if (error instanceof AggregateError) {
    const first: unknown = error.errors[0];
    if (first !== undefined) return describeNetworkError(first);
  }
  const code = (error as { code?: unknown } | null)?.code;
  const words = describeError(error);
  return typeof code === 'string' && !words.includes(code) ? `${code}: ${words}` : words;
}

/** Where a redirect points, by its host alone; undefined where it names none. */
export function redirectHost(location: string | undefined, base: string): string | undefined {
  if (location === undefined) return undefined;
  try {
    return new URL(location, base).host;
  } catch {
    // A Location that is no URL names no host.
    return undefined;
  }
}

/** The base waits of protocol §3 in ms; the last one repeats for ever. */
export const RECONNECT_STEPS_MS: readonly number[] = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000];

/**
 * How long to wait before the dial that follows failure number `step` (0 for the first), in ms: d × [1, 2).
 * The jitter is a factor, so it stays alive at the cap and a fleet never dials in step. `chance` is in [0, 1).
 */
export function reconnectDelay(
  step: number,
  chance: number,
  steps: readonly number[] = RECONNECT_STEPS_MS,
): number {
  const base = steps[Math.min(Math.max(step, 0), steps.length - 1)] ?? 0;
  return base * (1 + chance);
}

/**
 * How long after a failed request the next one may start, in ms: doubling from `firstMs`, at most `longestMs`
 * before a jitter of up to a fifth. Never less than `firstMs`, even where that is beyond `longestMs`.
 */
export function retryDelay(failures: number, firstMs: number, longestMs: number, random: Random): number {
  if (failures <= 0) return firstMs;
  const grown = firstMs * 2 ** Math.min(failures, 30);
  return Math.max(Math.min(grown, longestMs) * (1 - random() / 5), firstMs);
}

/**
 * `Retry-After` in ms (RFC 9110 §10.2.3: seconds or an HTTP date); undefined for anything else.
 * Bounded to an hour, so that one wrong header cannot silence the agent.
 */
export function parseRetryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  const ms = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - now;
  if (!Number.isFinite(ms)) return undefined;
  return Math.min(Math.max(ms, 0), 3_600_000);
}

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

/** RFC 6838: a file's type in chat.db may be any text, and must not add header lines. */
const MEDIA_TYPE = /^[a-z0-9][\w.+-]*\/[a-z0-9][\w.+-]*$/i;

/**
 * Uploads one file as multipart form; never throws. Its `attachment_guid` is the idempotency key. Its result says
 * nothing about the backend as a whole, which may have no such endpoint.
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
