import type { Clock, Timer } from '../system/clock.js';
import { steadyNow } from '../system/clock.js';
import { ENDED_KEPT_MS } from './pruning.js';
import type { Store } from './Store.js';

const DAY_MS = 86_400_000;
/** A command_id is known for this long, so that a late repeat is not executed. */
const COMMANDS_KEPT_MS = 90 * DAY_MS;
const ROUND_EVERY_MS = 3600_000;
/** Rows a step; steps of one round are apart so that nothing else waits for long. */
const STEP_ROWS = 500;
const STEP_PAUSE_MS = 50;

/**
 * Forgets what is over: ended messages, texts and schedules, undeliverable acks and events after 7 days (a command keeps
 * its id and last ack, without its content), command ids after 90 days. In small steps, once an hour.
 */
export class Retention {
  private timer: Timer | undefined;
  private readonly steady: () => number;

  constructor(
    private readonly store: Store,
    private readonly clock: Clock,
  ) {
    this.steady = steadyNow(clock);
  }

  start(): void {
    this.timer = this.clock.after(STEP_PAUSE_MS, () => this.step());
  }

  stop(): void {
    this.timer?.cancel();
  }

  /** One step; returns how many rows it dealt with. */
  prune(): number {
    // By either clock, whichever says that it is younger: one set ahead must not make us forget a command's id.
    const now = Math.min(this.clock.now(), this.steady());
    const ended = now - ENDED_KEPT_MS;
    const commands = now - COMMANDS_KEPT_MS;
    let rows = 0;
    this.store.tryWrite(() => {
      rows = this.store.prune({ ended, commands, limit: STEP_ROWS });
    });
    return rows;
  }

  private step(): void {
    const more = this.prune() > 0;
    this.timer = this.clock.after(more ? STEP_PAUSE_MS : ROUND_EVERY_MS, () => this.step());
  }
}
