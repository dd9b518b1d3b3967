import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Clock, systemClock } from '../../src/system/clock.js';
import type { EdgeWorld } from './EdgeWorld.js';

const PRELOAD = pathToFileURL(join(import.meta.dirname, 'drivenClock.mjs')).href;
/** Less than what the daemon takes for sleep. */
const STEP_MS = 2_000;

/**
 * The clock of a real daemon and of the Mac and the backend beside it, which a test lets run ahead: minutes and hours pass in seconds, and
 * whatever is due meanwhile happens. Between steps, requests get the real time that they take.
 */
export class DrivenClock {
  /** For the backend. */
  readonly clock: Clock = { ...systemClock, now: () => systemClock.now() + this.aheadMs };
  private aheadMs = 0;
  private socket: Socket | undefined;
  private path = '';
  private world: EdgeWorld | undefined;

  /** `isBusy`: whether the daemon waits for an answer that comes by itself. */
  constructor(private readonly isBusy: () => boolean) {}

  /** Before the daemon starts. */
  drive(world: EdgeWorld): void {
    this.world = world;
    this.path = join(world.directory, 'clock.sock');
    Object.assign(world.place.env, { NODE_OPTIONS: `--import ${PRELOAD}`, CLOCK_SOCKET: this.path });
  }

  /** Lets so much time pass. No text may be on its way: osascript takes real time. */
  async advance(ms: number): Promise<void> {
    this.world?.mac.setClock(this.aheadMs + ms);
    for (let left = ms; left > 0; left -= STEP_MS) await this.step(Math.min(left, STEP_MS));
  }

  close(): void {
    this.socket?.destroy();
  }

  private async step(ms: number): Promise<void> {
    this.socket ??= connect(this.path).setEncoding('utf8');
    this.aheadMs += ms;
    this.socket.write(`${ms}\n`);
    const ended = new AbortController();
    const isOver = once(this.socket, 'close', { signal: ended.signal }).then(() => {
      throw new Error('the daemon whose time is driven has ended');
    });
    try {
      await Promise.race([once(this.socket, 'data', { signal: ended.signal }), isOver]);
    } finally {
      isOver.catch(() => undefined);
      ended.abort();
    }
    for (let turn = 0; turn < 2 || (turn < 20 && this.isBusy()); turn += 1)
      await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
