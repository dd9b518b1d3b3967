import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Clock } from '../../system/clock.js';
import type { EventBell } from '../events/EventBell.js';
import { type EventCursor, encodeCursor, eventsAfter, type LoggedEvent } from '../ledger/eventLog.js';
import type { GatewayDatabase } from '../storage/GatewayDatabase.js';

/** So many events are read at once; no more is kept for a reader that is slow. */
const BATCH = 100;
/** A reader that has not taken what was written for so long is cut off, in ms. */
const PATIENCE_MS = 30_000;
/** A comment, so that nothing between drops a quiet connection. */
const KEEPALIVE_MS = 15_000;
/** How often it is looked without a ring; soon after one, because PostgreSQL may show an event a little after its commit. */
const LOOK_MS = 2_000;
const SOON_MS: readonly number[] = [50, 200, 1_000];
/** What a reader that lost its connection is asked to wait before it connects again. */
const RETRY_MS = 1_000;

interface EventStreamOptions {
  readonly database: GatewayDatabase;
  readonly bell: EventBell;
  readonly clock: Clock;
  readonly agents: readonly string[] | null;
  readonly types: readonly string[] | null;
  /** Asked about every 15 s: false ends the stream. */
  readonly mayGoOn: () => Promise<boolean>;
  readonly patienceMs?: number;
}

/**
 * Writes events to one reader as Server-Sent Events (html.spec.whatwg.org), oldest first from a cursor on, until it hangs up, is too slow,
 * may read no more, or `stop` is aborted. Nothing is read ahead of what the reader takes.
 */
export async function streamEvents(
  response: ServerResponse,
  from: EventCursor,
  options: EventStreamOptions,
  stop: AbortSignal,
): Promise<void> {
  const { database, bell, clock } = options;
  const closed = new AbortController();
  response.once('close', () => closed.abort());
  const ended = AbortSignal.any([closed.signal, stop]);
  const wake = new Wake(clock, ended);
  const deafen = bell.listen(() => wake.ring());
  response.writeHead(200, {
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-store',
    // nginx would gather what is written.
    'X-Accel-Buffering': 'no',
  });
  let cursor = from;
  let quietSince = clock.monotonic();
  let checkedAt = quietSince;
  try {
    let isTaken = await write(response, `retry: ${RETRY_MS}\n\n`, options, ended);
    while (isTaken && !ended.aborted) {
      if (clock.monotonic() - checkedAt >= KEEPALIVE_MS) {
        if (!(await options.mayGoOn())) break;
        checkedAt = clock.monotonic();
      }
      const events = await eventsAfter(database, cursor, options, BATCH);
      // One by one: a reader that takes them slowly, but takes them, is not cut.
      for (const event of events) {
        isTaken = await write(response, frame(event), options, ended);
        if (!isTaken) break;
        cursor = event.cursor;
        quietSince = clock.monotonic();
      }
      if (events.length > 0) continue;
      if (clock.monotonic() - quietSince >= KEEPALIVE_MS) {
        isTaken = await write(response, ': keepalive\n\n', options, ended);
        quietSince = clock.monotonic();
      } else await wake.wait();
    }
  } finally {
    deafen();
    // One that is too slow has bytes that it will never take.
    if (response.writableNeedDrain) response.destroy();
    else response.end();
  }
}

function frame({ cursor, type, body }: LoggedEvent): string {
  return `id: ${encodeCursor(cursor)}\nevent: ${type}\ndata: ${body}\n\n`;
}

/** False: the reader did not take it in time, or is gone. */
async function write(
  response: ServerResponse,
  text: string,
  { clock, patienceMs = PATIENCE_MS }: EventStreamOptions,
  ended: AbortSignal,
): Promise<boolean> {
  if (ended.aborted) return false;
  if (response.write(text)) return true;
  const late = new AbortController();
  const timer = clock.after(patienceMs, () => late.abort());
  try {
    await once(response, 'drain', { signal: AbortSignal.any([late.signal, ended]) });
    return true;
  } catch {
    // Aborted: it is too slow, or gone.
    return false;
  } finally {
    timer.cancel();
  }
}

/** Waits between two looks: not at all if it was rung since the last one, and a few times only shortly after a ring. */
class Wake {
  private isRung = true;
  private soon = 0;
  private release: (() => void) | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly ended: AbortSignal,
  ) {
    ended.addEventListener('abort', () => this.release?.(), { once: true });
  }

  ring(): void {
    this.isRung = true;
    this.release?.();
  }

  async wait(): Promise<void> {
    if (this.ended.aborted) return;
    if (this.isRung) {
      this.isRung = false;
      this.soon = 0;
      return;
    }
    const pause = SOON_MS[this.soon] ?? LOOK_MS;
    this.soon += 1;
    await new Promise<void>((resolve) => {
      const timer = this.clock.after(pause, resolve);
      this.release = () => {
        timer.cancel();
        resolve();
      };
    });
    this.release = undefined;
  }
}
