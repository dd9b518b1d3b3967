import type { Logger } from '../../logging/Logger.js';
import type { ErrorCode } from '../../model/errorCodes.js';
import type { Problem } from '../../model/problem.js';
import type { Store } from '../../store/Store.js';
import type { Clock, Timer } from '../../system/clock.js';
import { freshId } from '../../system/random.js';
import {
  type AlertBook,
  type AlertChannel,
  type AlertDelivery,
  type AlertRules,
  dueDeliveries,
  EMPTY_BOOK,
  noteAttempt,
  noteEnd,
  noteSetAside,
  noteState,
  withoutHopeless,
} from './alertBook.js';
import { type AlertEnd, type ChannelSettings, channelsOf, deliverAlert } from './alertChannels.js';
import type { AlertSender } from './alertWords.js';

interface AlertsOptions {
  /** Read at each look. */
  readonly settings: () => ChannelSettings & { readonly afterMs: number };
  /** The codes of what keeps the agent from its work now; undefined while it stops, when nothing is to be concluded. */
  readonly state: () => readonly ErrorCode[] | undefined;
  readonly sender: AlertSender;
  readonly store: Pick<
    Store,
    'meta' | 'write' | 'tryWrite' | 'beforeCommit' | 'afterCommit' | 'onRollback' | 'incoming' | 'setAside'
  >;
  readonly platform: NodeJS.Platform;
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly log: Logger;
}

const KEY = 'alerts';
const LONGEST_LOOK_MS = 10_000;
const SHORTEST_LOOK_MS = 500;

/**
 * Tells somebody when the agent was degraded for long, when it is healthy again, and when an item was set aside. Each event is
 * stored before it is told, with each attempt, so that a restart neither loses nor adds one; an attempt whose end is unknown (the
 * agent was killed, the answer was lost) is made again, so a receiver may see an alert twice, with the same id. A failed one is
 * retried with backoff for a day. While the store takes no writes, alerts go out all the same: that is when they are needed.
 */
export class Alerts {
  private book: AlertBook;
  /** What it was before the write that is open. */
  private before: AlertBook | undefined;
  private isStored = true;
  private timer: Timer | undefined;
  private readonly busy = new Set<AlertChannel>();
  private readonly stopping = new AbortController();
  private failure: { readonly since: number; readonly detail: string } | undefined;

  constructor(private readonly options: AlertsOptions) {
    const { store } = options;
    this.book = { ...EMPTY_BOOK, ...store.meta.object<AlertBook>(KEY) };
    store.incoming.onParked(() => this.setAside());
    // A message that is set aside was counted where it was parked.
    store.setAside.onNoted((kind) => {
      if (kind !== 'message') this.setAside();
    });
    store.onRollback(() => {
      this.book = this.before ?? this.book;
      this.before = undefined;
    });
  }

  /** Other settings may mend what failed; whether they do shows at the next attempt. */
  settingsChanged(): void {
    this.failure = undefined;
    this.start();
  }

  start(): void {
    this.timer?.cancel();
    if (this.stopping.signal.aborted) return;
    const wait = Math.min(LONGEST_LOOK_MS, Math.max(SHORTEST_LOOK_MS, this.options.settings().afterMs / 2));
    this.timer = this.options.clock.after(wait, () => {
      this.look();
      this.start();
    });
  }

  /** No timer and no request is left after this. What was not delivered is, by the next start. */
  stop(): void {
    this.stopping.abort();
    this.timer?.cancel();
  }

  /** That alerts do not get out, while they do not. */
  fault(): Problem<number, 'alerts_failing'> | undefined {
    if (this.failure === undefined) return undefined;
    const { since, detail } = this.failure;
    return {
      code: 'alerts_failing',
      since,
      message: `An alert could not be delivered: ${detail}.`,
      remedy: 'Correct alerts in the configuration and try it: edge-agent alerts test',
    };
  }

  private look(): void {
    const { clock, state } = this.options;
    const rules = this.rules();
    const now = clock.now();
    const codes = state();
    let next = withoutHopeless(this.book, now, rules.channels);
    if (codes !== undefined && rules.channels.length > 0) next = noteState(next, codes, now, rules);
    this.noteLost(this.book, next, rules.channels);
    this.keep(next);
    for (const delivery of dueDeliveries(this.book, now)) void this.deliver(delivery);
  }

  private noteLost(before: AlertBook, { deliveries }: AlertBook, channels: readonly AlertChannel[]): void {
    for (const { alert, channel } of before.deliveries) {
      const isKept = deliveries.some((kept) => kept.alert.id === alert.id && kept.channel === channel);
      if (isKept || !channels.includes(channel)) continue;
      this.options.log.warn('An alert was never delivered and is given up', {
        event: alert.event,
        channel,
        id: alert.id,
      });
    }
  }

  private async deliver(delivery: AlertDelivery): Promise<void> {
    const { channel, alert } = delivery;
    if (this.busy.has(channel)) return;
    const { clock, settings, sender, env } = this.options;
    this.busy.add(channel);
    this.keep(noteAttempt(this.book, delivery, clock.now()));
    const ports = { settings: settings(), sender, env, clock, signal: this.stopping.signal };
    const end = await deliverAlert(alert, channel, ports);
    this.busy.delete(channel);
    if (this.stopping.signal.aborted && end.kind !== 'delivered') return;
    this.ended(delivery, end);
  }

  private ended(delivery: AlertDelivery, end: AlertEnd): void {
    const { log, clock } = this.options;
    const { alert, channel } = delivery;
    if (end.kind !== 'failed') this.keep(noteEnd(this.book, delivery));
    if (end.kind === 'delivered') {
      this.failure = undefined;
      log.info('Alert delivered', { event: alert.event, channel, id: alert.id });
      return;
    }
    const by = channel === 'webhook' ? 'the webhook' : 'the notification';
    this.failure = { since: this.failure?.since ?? clock.now(), detail: `${by}: ${end.detail}` };
    const words =
      end.kind === 'refused'
        ? 'An alert was refused and is given up'
        : 'An alert could not be delivered; it is retried';
    log.warn(words, { event: alert.event, channel, id: alert.id, cause: end.detail });
  }

  /** Inside the write that sets an item aside. */
  private setAside(): void {
    const rules = this.rules();
    if (rules.channels.length === 0) return;
    const { store, clock } = this.options;
    store.write(() => {
      this.before ??= this.book;
      this.book = noteSetAside(this.book, clock.now(), rules);
      store.beforeCommit(this.save);
      store.afterCommit(this.committed);
    });
  }

  private keep(next: AlertBook): void {
    if (next === this.book && this.isStored) return;
    this.book = next;
    this.isStored = this.options.store.tryWrite(this.save);
  }

  private readonly save = (): void => {
    this.options.store.meta.set(KEY, JSON.stringify(this.book));
  };

  private readonly committed = (): void => {
    this.before = undefined;
    this.isStored = true;
  };

  private rules(): AlertRules {
    const { settings, platform } = this.options;
    const now = settings();
    return {
      channels: channelsOf(now, platform),
      afterMs: now.afterMs,
      freshId: () => freshId('alert'),
    };
  }
}
