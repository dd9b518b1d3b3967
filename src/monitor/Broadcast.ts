import type { ServerFrame } from '../model/monitorFrames.js';
import type { Clock, Timer } from '../system/clock.js';
import type { KnownClient } from './Clients.js';
import { encodeFrame } from './monitorFrames.js';

interface Entry {
  frame: ServerFrame;
  at: number;
  isFor: (client: KnownClient) => boolean;
  encoded?: Buffer;
}

/** Frames that come within this time are written together: a person sees no difference, the agent's work does. */
const COLLECT_MS = 50;
/** After so many clients other work gets its turn. */
const CLIENTS_AT_ONCE = 10;
/** Live events above this number at once are left out: they are only hints, and too many to read. */
const MOST_EVENTS = 1_000;

/**
 * Says things to many. Nothing is encoded or written inside the call that says it: that happens a moment later, a few
 * clients at a time, each frame encoded once and each client written to once. Order is kept.
 */
export class Broadcast {
  private waiting: Entry[] = [];
  private events = 0;
  private timer: Timer | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly audience: () => readonly KnownClient[],
    private readonly onSlow: (client: KnownClient) => void,
  ) {}

  post(frame: ServerFrame, isFor: (client: KnownClient) => boolean = () => true): void {
    if (frame.type === 'event') {
      if (this.events >= MOST_EVENTS) return;
      this.events += 1;
    }
    this.waiting.push({ frame, at: this.clock.now(), isFor });
    this.timer ??= this.clock.after(COLLECT_MS, () => this.deliver());
  }

  /** Writes what waits to everybody now, for the last words. */
  flush(): void {
    this.timer?.cancel();
    this.timer = undefined;
    const entries = this.take();
    for (const client of this.audience()) this.write(client, entries);
  }

  stop(): void {
    this.timer?.cancel();
    this.waiting = [];
  }

  private deliver(): void {
    const entries = this.take();
    const clients = this.audience();
    const from = (start: number) => {
      for (const client of clients.slice(start, start + CLIENTS_AT_ONCE)) this.write(client, entries);
      const next = start + CLIENTS_AT_ONCE;
      if (next < clients.length) this.timer = this.clock.after(0, () => from(next));
      else if (this.waiting.length > 0) this.timer = this.clock.after(COLLECT_MS, () => this.deliver());
      else this.timer = undefined;
    };
    from(0);
  }

  private take(): Entry[] {
    const entries = this.waiting;
    this.waiting = [];
    this.events = 0;
    return entries;
  }

  private write(client: KnownClient, entries: readonly Entry[]): void {
    const frames = entries.filter(({ isFor }) => isFor(client)).map(encoded);
    if (frames.length > 0 && !client.write(frames)) this.onSlow(client);
  }
}

function encoded(entry: Entry): Buffer {
  entry.encoded ??= encodeFrame(entry.frame, entry.at);
  return entry.encoded;
}
