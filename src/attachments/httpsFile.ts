import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import type { Clock } from '../system/clock.js';
import { isForbiddenLiteral, type Judgement, judgedOptions } from '../system/judgedConnection.js';
import { PrivateAddressError } from '../system/publicAddresses.js';
import { isSendable, mediaType } from './contentTypes.js';

/**
 * What came of asking for a file. `refused`: it will never do, so it is not asked for again. `failed`: it may do later.
 * Messages say what is wrong and name no part of the address; `systemCode` is the system's word, where it has one.
 */
type HttpsFile =
  | { kind: 'file'; bytes: Buffer; type: string }
  | { kind: 'refused'; message: string }
  | { kind: 'failed'; message: string; systemCode?: string }
  | { kind: 'stopped' };

export interface HttpsFileOptions extends Judgement {
  clock: Clock;
  maxBytes: number;
  /** For the whole, redirects and all, in ms. */
  timeoutMs: number;
  stop: AbortSignal;
}

const MOST_REDIRECTS = 3;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const LATER = new Set([408, 425, 429]);

/** Why a URL is not asked at all; undefined if it may be. Judges the URL alone, not what its name resolves to. */
export function urlFault(given: string, mayReach: (address: string) => boolean): string | undefined {
  if (!URL.canParse(given)) return 'it is not a URL';
  const url = new URL(given);
  if (url.protocol !== 'https:') return 'it is not an https URL';
  if (url.username !== '' || url.password !== '') return 'it holds a user name or password';
  // A literal address is never looked up, so it is judged here.
  if (isForbiddenLiteral(url, mayReach)) return new PrivateAddressError().message;
  return undefined;
}

/**
 * Gets a file by https, at most `maxBytes` of it, of a type that one sends to a person; follows three redirects, each
 * judged as the first. Sends no credentials. Never rejects; ends within `timeoutMs`.
 */
export async function httpsFile(url: string, options: HttpsFileOptions): Promise<HttpsFile> {
  const deadline = new AbortController();
  const timer = options.clock.after(options.timeoutMs, () => deadline.abort());
  const signal = AbortSignal.any([deadline.signal, options.stop]);
  try {
    let next = url;
    for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
      const fault = urlFault(next, options.mayReach);
      if (fault !== undefined)
        return { kind: 'refused', message: redirects === 0 ? fault : `redirected: ${fault}` };
      const answer = await ask(new URL(next), options, signal);
      if ('location' in answer) next = answer.location;
      else if (answer.kind !== 'failed') return answer;
      else if (options.stop.aborted) return { kind: 'stopped' };
      else if (deadline.signal.aborted) {
        return { kind: 'failed', message: `it did not arrive within ${options.timeoutMs / 1000} s` };
      } else return answer;
    }
    return { kind: 'refused', message: `it is redirected more than ${MOST_REDIRECTS} times` };
  } finally {
    timer.cancel();
  }
}

async function ask(
  url: URL,
  options: HttpsFileOptions,
  signal: AbortSignal,
): Promise<HttpsFile | { location: string }> {
  const way = await judgedOptions(url, options);
  if (way instanceof Error) return failure(way);
  return new Promise((resolve) => {
    const asked = request(url, {
      // A separate agent: no connection is shared or kept.
      ...options.outbound.once(url),
      ...way.options,
      signal,
      headers: { Host: url.host, Accept: '*/*', 'Accept-Encoding': 'identity', 'User-Agent': 'edge-agent' },
    });
    way.watch(asked);
    asked.on('error', (error) => resolve(failure(error)));
    asked.on('response', (response) => {
      const end = (result: HttpsFile | { location: string }) => {
        resolve(result);
        asked.destroy();
      };
      read(url, response, options.maxBytes, end);
    });
    asked.end();
  });
}

function failure(error: Error): HttpsFile {
  if (error instanceof PrivateAddressError) return { kind: 'refused', message: error.message };
  return { kind: 'failed', message: `it cannot be fetched (${wordOf(error)})`, systemCode: wordOf(error) };
}

function read(
  url: URL,
  response: IncomingMessage,
  maxBytes: number,
  end: (result: HttpsFile | { location: string }) => void,
): void {
  const status = response.statusCode ?? 0;
  const { location } = response.headers;
  if (REDIRECTS.has(status)) {
    if (location !== undefined && URL.canParse(location, url.href))
      end({ location: new URL(location, url).href });
    else end({ kind: 'refused', message: 'its redirect names no target' });
    return;
  }
  if (status !== 200) {
    const kind = status >= 500 || LATER.has(status) ? 'failed' : 'refused';
    end({ kind, message: `its server answers ${status}` });
    return;
  }
  const type = mediaType(response.headers['content-type']);
  const tooLarge = {
    kind: 'refused',
    message: `it is larger than ${maxBytes} bytes (attachments.max_bytes)`,
  } as const;
  if (!isSendable(type)) {
    end({ kind: 'refused', message: `it is of the type "${type.slice(0, 60)}", which is not sent` });
    return;
  }
  if ((response.headers['content-encoding'] ?? 'identity') !== 'identity') {
    end({ kind: 'refused', message: 'it is compressed, although that was not requested' });
    return;
  }
  if (Number(response.headers['content-length'] ?? 0) > maxBytes) {
    end(tooLarge);
    return;
  }
  const chunks: Buffer[] = [];
  let size = 0;
  response.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > maxBytes) end(tooLarge);
    else chunks.push(chunk);
  });
  response.on('error', (error) =>
    end({ kind: 'failed', message: `the transfer was interrupted (${wordOf(error)})` }),
  );
  response.on('end', () => {
    if (size === 0) end({ kind: 'refused', message: 'it is empty' });
    else if (response.complete) end({ kind: 'file', bytes: Buffer.concat(chunks), type });
    else end({ kind: 'failed', message: 'the transfer was interrupted' });
  });
}

/** The system's word for an error: its message would name the host. */
function wordOf(error: Error): string {
  return 'code' in error ? String(error.code) : error.name;
}
