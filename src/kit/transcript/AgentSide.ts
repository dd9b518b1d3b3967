import { once } from 'node:events';
import { WebSocket } from 'ws';
import { mintToken, requestHeaders } from '../../backend/credentials.js';
import { asObject } from '../../backend/protocol.js';
import { type Clock, sleep } from '../../system/clock.js';
import { asOfNow } from './asOfNow.js';
import type { Entry, EntryOf, Transcript } from './entry.js';

interface AgentSideOptions {
  /** http(s), without a trailing slash. */
  readonly url: string;
  readonly secret: string;
  readonly agent: { readonly id: string; readonly phone: string };
  readonly version: string;
  readonly clock: Clock;
  /** How much faster than it happened; 1: as it happened. */
  readonly speed: number;
  readonly log: (line: string) => void;
}

/** What the backend did then and now, where it can be compared. */
interface Comparison {
  /** `POST /edge/sync`, `dial` or `frames of type pong`. */
  readonly what: string;
  readonly was: string;
  readonly is: string;
}

/** How long to wait for an answer, for a handshake, and for the rest after everything was sent, in ms. */
const PATIENCE_MS = 60_000;
const HANDSHAKE_MS = 20_000;
const LAST_WORDS_MS = 2_000;

/**
 * Plays the agent's side of a transcript to a backend: dials, frames, requests and closes, each at its time, with new
 * credentials and current times. Like the original, it does not wait for answers before it continues. Never rejects.
 */
export class AgentSide {
  private readonly sockets = new Map<number, WebSocket>();
  private readonly comparisons: Comparison[] = [];
  private readonly received = new Map<string, number>();
  private readonly underWay: Promise<void>[] = [];

  constructor(
    private readonly transcript: Transcript,
    private readonly options: AgentSideOptions,
  ) {}

  /** Resolves with everything that can be compared, in order, when all was played and answered. */
  async play(): Promise<Comparison[]> {
    const { clock, speed } = this.options;
    const from = clock.monotonic();
    for (const entry of this.transcript.entries) {
      await sleep(clock, Math.max(0, entry.at / speed - (clock.monotonic() - from)));
      this.act(entry);
    }
    await Promise.all(this.underWay);
    await sleep(clock, LAST_WORDS_MS / Math.max(1, speed));
    for (const socket of this.sockets.values()) socket.terminate();
    return [...this.comparisons, ...this.frames()];
  }

  private act(entry: Entry): void {
    switch (entry.kind) {
      case 'open':
        this.underWay.push(this.dial(entry.socket, 'opened'));
        break;
      case 'refused':
        this.underWay.push(this.dial(entry.socket, entry.status === 0 ? 'failed' : `HTTP ${entry.status}`));
        break;
      case 'frame':
        if (entry.from === 'agent' && entry.frame !== undefined)
          this.send(entry.socket, this.ours(entry.frame, entry.at));
        break;
      case 'close':
        if (entry.from === 'agent') this.hangUp(entry);
        break;
      case 'request':
        this.underWay.push(this.request(entry));
        break;
      case 'answer':
      case 'full':
        break;
    }
  }

  /** A close that had no frame has none now. */
  private hangUp({ socket, code }: EntryOf<'close'>): void {
    if (code === 1006) this.sockets.get(socket)?.terminate();
    else this.sockets.get(socket)?.close(1000);
  }

  private async dial(number: number, then: string): Promise<void> {
    const { url, agent } = this.options;
    const target = `${url.replace(/^http/, 'ws')}/edge/ws?edge_agent_id=${encodeURIComponent(agent.id)}`;
    const socket = new WebSocket(target, {
      headers: this.headers(),
      perMessageDeflate: false,
      followRedirects: false,
      handshakeTimeout: HANDSHAKE_MS,
    });
    this.sockets.set(number, socket);
    let now = 'opened';
    socket.on('unexpected-response', (_request, response) => {
      now = `HTTP ${response.statusCode}`;
      socket.terminate();
    });
    // Also comes after `unexpected-response`, which says more.
    socket.on('error', () => {
      if (now === 'opened') now = 'failed';
    });
    socket.on('message', (data) => {
      const type = frameType(String(data));
      this.received.set(type, (this.received.get(type) ?? 0) + 1);
    });
    // Either one ends the handshake; afterwards `close` is not compared.
    await Promise.race([
      once(socket, 'open').catch(() => undefined),
      once(socket, 'close').catch(() => undefined),
    ]);
    this.compare('dial', then, now);
  }

  /** A frame that was sent while the recorded socket was open is sent as soon as the new one is open. */
  private send(number: number, frame: unknown): void {
    const socket = this.sockets.get(number);
    const text = JSON.stringify(frame);
    if (socket?.readyState === WebSocket.CONNECTING) socket.once('open', () => socket.send(text));
    else if (socket?.readyState === WebSocket.OPEN) socket.send(text);
  }

  private async request(entry: EntryOf<'request'>): Promise<void> {
    const what = `${entry.method} ${entry.path}`;
    const answer = this.transcript.entries.find(
      (one) => one.kind === 'answer' && one.request === entry.request,
    );
    const then = answer?.kind === 'answer' && answer.status !== 0 ? `HTTP ${answer.status}` : 'no answer';
    if (entry.method !== 'GET' && entry.body === undefined) {
      this.options.log(`${what} is skipped: its body was not JSON, so it is not in the transcript`);
      return;
    }
    const giveUp = new AbortController();
    const deadline = this.options.clock.after(PATIENCE_MS, () => giveUp.abort());
    try {
      const response = await fetch(this.options.url + entry.path, {
        method: entry.method,
        headers: { ...this.headers(), 'Content-Type': 'application/json' },
        redirect: 'manual',
        signal: giveUp.signal,
        ...(entry.body === undefined ? {} : { body: JSON.stringify(this.ours(entry.body, entry.at)) }),
      });
      await response.arrayBuffer();
      this.compare(what, then, `HTTP ${response.status}`);
    } catch {
      // Why there was no answer does not matter for the comparison.
      this.compare(what, then, 'no answer');
    } finally {
      deadline.cancel();
    }
  }

  /** With our id and number in the place of the made-up ones, and the times of now. */
  private ours(value: unknown, at: number): unknown {
    const { agent, clock } = this.options;
    const moved = asOfNow(value, { ms: clock.now() - (Date.parse(this.transcript.head.at) + at) });
    const object = asObject(moved);
    if (object === undefined) return moved;
    const own = { edge_agent_id: agent.id, user_phone: agent.phone };
    return { ...object, ...Object.fromEntries(Object.entries(own).filter(([key]) => key in object)) };
  }

  private frames(): Comparison[] {
    const then = new Map<string, number>();
    for (const entry of this.transcript.entries) {
      if (entry.kind !== 'frame' || entry.from !== 'backend') continue;
      const type = frameType(JSON.stringify(entry.frame ?? null));
      then.set(type, (then.get(type) ?? 0) + 1);
    }
    const types = [...new Set([...then.keys(), ...this.received.keys()])].toSorted();
    const count = (counts: Map<string, number>, type: string) => String(counts.get(type) ?? 0);
    return types.map((type) => ({
      what: `frames of type ${type}`,
      was: count(then, type),
      is: count(this.received, type),
    }));
  }

  private compare(what: string, was: string, is: string): void {
    this.options.log(`${what}: ${is}${was === is ? '' : ` (then: ${was})`}`);
    this.comparisons.push({ what, was, is });
  }

  private headers(): Record<string, string> {
    const { agent, secret, version, clock } = this.options;
    return requestHeaders(agent.id, version, mintToken(secret, agent.id, agent.phone, clock.now()));
  }
}

function frameType(text: string): string {
  try {
    return String(asObject(JSON.parse(text))?.type ?? 'none');
  } catch {
    // What is no JSON has no type either.
    return 'none';
  }
}
