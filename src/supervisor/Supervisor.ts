import { describeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import type { Problem } from '../model/problem.js';
import type { Clock, Timer } from '../system/clock.js';
import { type AttemptEnd, judgeAttempt } from './judgeAttempt.js';
import type { MessagesProcess } from './MessagesApp.js';
import { Waits } from './Waits.js';

interface SupervisorOptions {
  readonly app: MessagesProcess;
  readonly clock: Clock;
  readonly log: Logger;
}

const CHECK_EVERY_MS = 60_000;
const LOOK_EVERY_MS = 500;
const OPEN_PATIENCE_MS = 30_000;
/** After its process appears Messages still takes a moment before it answers Apple events. */
const WARM_UP_MS = 3_000;
const QUIT_PATIENCE_MS = 15_000;
const TERMINATE_PATIENCE_MS = 10_000;
const TIMEOUTS_BEFORE_RESTART = 2;
/** If a restart does not fix it, another one right away will not either (for example a dialog on the screen). */
const COOL_DOWN_MS = 10 * 60_000;

/**
 * Keeps Messages running: opened hidden before the first text, looked after every 60 s, restarted after two timeouts in a
 * row but at most every 10 minutes. While it is being opened or restarted, texts wait at `ready`. A restart begins only
 * right after an attempt has ended, so as attempts come one at a time, none is cut off by it.
 */
export class Supervisor {
  private readonly waits: Waits;
  private gate: Promise<boolean> | undefined;
  private timer: Timer | undefined;
  private running = false;
  private timeouts = 0;
  private restartedAt = Number.NEGATIVE_INFINITY;
  private current: Problem<number, 'messages_unavailable'> | undefined;
  private wasUnknown = false;

  constructor(private readonly options: SupervisorOptions) {
    this.waits = new Waits(options.clock);
  }

  /** Begins by bringing Messages up. */
  start(): void {
    if (this.running) return;
    this.running = true;
    this.hold(() => this.bringUp());
    this.checkLater();
  }

  /** Releases callers that wait at `ready` and does nothing more to Messages. Idempotent. */
  stop(): void {
    this.running = false;
    this.timer?.cancel();
    this.waits.end();
  }

  /**
   * Resolves when a text may be passed to Messages; undefined if that is now. Never rejects, ends within 150 s, also if
   * Messages could not be started: the attempt will then show that. False: stopped meanwhile, nothing may be sent.
   */
  ready(): Promise<boolean> | undefined {
    return this.gate;
  }

  /** To be called after every attempt, before another one begins. */
  note(attempt: AttemptEnd): void {
    const sign = judgeAttempt(attempt);
    if (sign === 'answered') this.timeouts = 0;
    if (sign === 'timeout') this.timeouts += 1;
    if (!this.running) return;
    if (sign === 'notRunning') this.hold(() => this.bringUp());
    const isCool = this.options.clock.monotonic() - this.restartedAt >= COOL_DOWN_MS;
    if (sign === 'timeout' && this.timeouts >= TIMEOUTS_BEFORE_RESTART && isCool)
      this.hold(() => this.restart());
  }

  /** The Mac slept: looks after Messages at once. */
  woke(): void {
    if (this.running) void this.check();
  }

  fault(): Problem<number, 'messages_unavailable'> | undefined {
    return this.current;
  }

  /** Closes the gate for as long as the work takes; work that comes meanwhile is not needed. */
  private hold(work: () => Promise<void>): void {
    if (this.gate !== undefined) return;
    this.gate = work()
      .catch((error: unknown) => {
        this.options.log.error('Supervising Messages failed', { cause: describeError(error) });
      })
      .then(() => {
        this.gate = undefined;
        return this.running;
      });
  }

  private checkLater(): void {
    this.timer = this.options.clock.after(CHECK_EVERY_MS, () => {
      void this.check();
      this.checkLater();
    });
  }

  private async check(): Promise<void> {
    if (this.gate !== undefined) return;
    const state = await this.options.app.state();
    if (state === 'running') this.current = undefined;
    if (this.running && state === 'absent') this.hold(() => this.bringUp());
  }

  private async bringUp(): Promise<void> {
    const { app, log } = this.options;
    const state = await app.state();
    if (state === 'unknown' && !this.wasUnknown) {
      log.warn('Cannot tell whether Messages is running (pgrep failed); it is not supervised');
    }
    this.wasUnknown = state === 'unknown';
    if (state !== 'absent' || !this.running) return;
    if (this.current === undefined) log.info('Messages is not running; opening it');
    const opened = await app.open();
    if (opened.kind === 'failed') this.failed(opened.message);
    else if (await this.become('running', OPEN_PATIENCE_MS)) {
      await this.waits.pause(WARM_UP_MS);
      this.current = undefined;
      log.info('Messages is running');
    } else this.failed(`it did not appear within ${OPEN_PATIENCE_MS / 1000} s`);
  }

  /** First a request, then a kill: a hung Messages does not react to the request to quit, and nothing else would help. */
  private async restart(): Promise<void> {
    const { app, log, clock } = this.options;
    log.warn('Messages timed out repeatedly; restarting it', { timeouts: this.timeouts });
    this.restartedAt = clock.monotonic();
    this.timeouts = 0;
    await app.quit();
    let isGone = await this.become('absent', QUIT_PATIENCE_MS);
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      if (isGone || !this.running) break;
      log.warn('Messages does not quit; killing it', { signal });
      await app.signal(signal);
      isGone = await this.become('absent', TERMINATE_PATIENCE_MS);
    }
    if (this.running) await this.bringUp();
  }

  /** Whether it comes to that state in time. */
  private async become(wanted: 'running' | 'absent', patienceMs: number): Promise<boolean> {
    const { app, clock } = this.options;
    const end = clock.monotonic() + patienceMs;
    while (this.running) {
      if ((await app.state()) === wanted) return true;
      if (clock.monotonic() >= end) return false;
      await this.waits.pause(LOOK_EVERY_MS);
    }
    return false;
  }

  private failed(why: string): void {
    const { log, clock } = this.options;
    if (!this.running) return;
    const message = `Messages could not be opened: ${why}.`;
    if (this.current === undefined) log.error(message, { code: 'messages_unavailable' });
    const since = this.current?.since ?? clock.now();
    const remedy = 'Log in at the screen of the Mac, open Messages there and check that it is signed in.';
    this.current = { code: 'messages_unavailable', since, message, remedy };
  }
}
