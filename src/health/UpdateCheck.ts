import { describeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import type { StatusSnapshot } from '../model/status.js';
import type { Store } from '../store/Store.js';
import type { Clock, Timer } from '../system/clock.js';
import { isNewer, newestVersion } from '../system/npmRegistry.js';
import type { Outbound } from '../system/Outbound.js';
import { iso } from '../system/time.js';

interface UpdateCheckOptions {
  /** Read at each look. */
  readonly isOn: () => boolean;
  /** The version that runs. */
  readonly version: string;
  readonly store: Pick<Store, 'meta' | 'tryWrite'>;
  readonly env: NodeJS.ProcessEnv;
  readonly homeDir: string;
  readonly clock: Clock;
  readonly outbound: Outbound;
  readonly log: Logger;
}

/** What is known of the newest version. Unix ms. */
interface Known {
  /** When the registry was last asked. */
  readonly askedAt: number;
  /** What it said last, and when. */
  readonly newest?: string;
  readonly checkedAt?: number;
}

const KEY = 'update_check';
/** A start has other things to do first. */
const FIRST_MS = 5_000;
const LOOK_EVERY_MS = 3_600_000;
const ASK_EVERY_MS = 24 * 3_600_000;

/**
 * Asks npm's registry once a day, over restarts, whether there is a newer version of the agent, if that is switched on. Nothing
 * waits for it, and what it cannot find out is no problem of the agent.
 */
export class UpdateCheck {
  private timer: Timer | undefined;
  private known: Known | undefined;
  private isAsking = false;
  private readonly stopping = new AbortController();

  constructor(private readonly options: UpdateCheckOptions) {
    this.known = options.store.meta.object<Known>(KEY);
  }

  /** Also to be called when its setting has changed. */
  start(): void {
    this.lookIn(FIRST_MS);
  }

  /** No timer and no request is left after this. */
  stop(): void {
    this.stopping.abort();
    this.timer?.cancel();
  }

  /** The newer version that there is, as far as is known; undefined while it is switched off. */
  available(): StatusSnapshot['update'] {
    const { newest, checkedAt } = this.known ?? {};
    if (newest === undefined || checkedAt === undefined || !this.options.isOn()) return undefined;
    return isNewer(newest, this.options.version)
      ? { version: newest, checked_at: iso(checkedAt) }
      : undefined;
  }

  private lookIn(ms: number): void {
    this.timer?.cancel();
    if (this.stopping.signal.aborted) return;
    this.timer = this.options.clock.after(ms, () => {
      this.lookIn(LOOK_EVERY_MS);
      void this.look();
    });
  }

  /** Never rejects. */
  private async look(): Promise<void> {
    const { isOn, clock, log, version } = this.options;
    const now = clock.now();
    const { askedAt = Number.NEGATIVE_INFINITY } = this.known ?? {};
    const isDue = askedAt > now || now - askedAt >= ASK_EVERY_MS;
    if (!isOn() || !isDue || this.isAsking) return;
    this.isAsking = true;
    try {
      this.keep({ ...this.known, askedAt: now });
      const found = await newestVersion({ ...this.options, signal: this.stopping.signal });
      if (this.stopping.signal.aborted) return;
      if (found.kind === 'unknown') {
        log.info('Whether there is a newer version is not known', { cause: found.detail });
        return;
      }
      this.keep({ askedAt: now, newest: found.version, checkedAt: now });
      if (isNewer(found.version, version))
        log.info('A newer version is available', { version: found.version });
    } catch (error) {
      log.info('Whether there is a newer version is not known', { cause: describeError(error) });
    } finally {
      this.isAsking = false;
    }
  }

  private keep(known: Known): void {
    this.known = known;
    this.options.store.tryWrite(() => this.options.store.meta.set(KEY, JSON.stringify(known)));
  }
}
