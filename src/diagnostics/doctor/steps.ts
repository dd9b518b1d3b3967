import { lookup } from 'node:dns/promises';
import * as http from 'node:http';
import * as https from 'node:https';
import { connect as connectTcp, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { describeError } from '../../errors.js';
import type { Clock } from '../../system/clock.js';
import type { Outbound } from '../../system/Outbound.js';

/** One step on the way to the backend, with the time that it took in ms. */
export type TimedStep<T> =
  | { readonly kind: 'done'; readonly ms: number; readonly value: T }
  | { readonly kind: 'failed'; readonly ms: number; readonly why: string };

/** Where a URL leads. */
export interface Target {
  readonly host: string;
  readonly port: number;
}

/** `dateMs` is the backend's clock by its Date header, `askedAt` ours in the middle of the question. Unix ms. */
export interface HttpAnswer {
  readonly status: number;
  readonly dateMs: number | undefined;
  readonly askedAt: number;
}

const PATIENCE_MS = 10_000;

/** How many addresses the name has. */
export function resolveName(clock: Clock, { host }: Target): Promise<TimedStep<number>> {
  return timed(clock, (done, failed) => {
    lookup(host, { all: true }).then((addresses) => done(addresses.length), failed);
    return () => undefined;
  });
}

/** Opens a connection and closes it. */
export function reach(clock: Clock, target: Target): Promise<TimedStep<undefined>> {
  return timed(clock, (done, failed) => {
    const socket: Socket = connectTcp({ ...target });
    socket.on('connect', () => done(undefined));
    socket.on('error', failed);
    return () => socket.destroy();
  });
}

/** Shakes hands by TLS, by a proxy if there is one, and checks the certificate, as every request does; when that ends, Unix ms. */
export function secure(
  clock: Clock,
  outbound: Outbound,
  url: URL,
): Promise<TimedStep<{ protocol: string; endsAt: number }>> {
  return timed(clock, (done, failed) => {
    // Nothing is asked: a request is sent once it is ended.
    const request = https.request(url, outbound.once(url));
    request.on('socket', (socket) => {
      if (!(socket instanceof TLSSocket)) return;
      socket.once('secureConnect', () => {
        const endsAt = Date.parse(socket.getPeerCertificate().valid_to);
        done({ protocol: socket.getProtocol() ?? 'TLS', endsAt });
      });
    });
    request.on('error', failed);
    return () => request.destroy();
  });
}

/** Asks for `/health`, without credentials; any answer is one. */
export function askHealth(clock: Clock, outbound: Outbound, base: string): Promise<TimedStep<HttpAnswer>> {
  return timed(clock, (done, failed) => {
    const url = new URL(`${base}/health`);
    const began = clock.now();
    const request = (url.protocol === 'https:' ? https : http).get(url, outbound.once(url), (response) => {
      const dateMs = Date.parse(response.headers.date ?? '');
      done({
        status: response.statusCode ?? 0,
        dateMs: Number.isNaN(dateMs) ? undefined : dateMs,
        askedAt: (began + clock.now()) / 2,
      });
    });
    request.on('error', failed);
    return () => request.destroy();
  });
}

/** Runs one step; it ends by then, whatever hangs. `begin` returns what lets go of it. */
function timed<T>(
  clock: Clock,
  begin: (done: (value: T) => void, failed: (error: unknown) => void) => () => void,
): Promise<TimedStep<T>> {
  return new Promise((resolve) => {
    const began = clock.monotonic();
    const ms = () => Math.round(clock.monotonic() - began);
    let letGo = (): void => undefined;
    const end = (step: TimedStep<T>) => {
      timer.cancel();
      resolve(step);
      letGo();
    };
    const failed = (error: unknown) => end({ kind: 'failed', ms: ms(), why: wordsOf(error) });
    const timer = clock.after(PATIENCE_MS, () =>
      end({ kind: 'failed', ms: ms(), why: `no answer within ${PATIENCE_MS / 1_000} s` }),
    );
    letGo = begin((value) => end({ kind: 'done', ms: ms(), value }), failed);
  });
}

/** Node's AggregateError for a name with several addresses has no message of its own. */
function wordsOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return wordsOf(error.errors[0]);
  return describeError(error);
}
