import { describeError } from '../../errors.js';
import type { Logger } from '../../logging/Logger.js';
import type { ErrorCode } from '../../model/errorCodes.js';
import type { AlertsTested } from '../../model/operatorApi.js';
import type { Problem } from '../../model/problem.js';
import type { Store } from '../../store/Store.js';
import type { Clock, Timer } from '../../system/clock.js';
import type { Outbound } from '../../system/Outbound.js';
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
  noteMended,
  noteSetAside,
  noteState,
  sendGathered,
  withoutHopeless,
} from './alertBook.js';
import { type AlertEnd, type ChannelSettings, channelsOf, deliverAlert } from './alertChannels.js';
import type { AlertSender } from './alertWords.js';
import { testChannels } from './testChannels.js';

interface AlertsOptions {
  /** Read at each look. */
  readonly settings: () => ChannelSettings & { readonly afterMs: number };
  /** The codes of what keeps the agent from its work now; undefined while it stops, when nothing is to be concluded. */
  readonly state: () => readonly ErrorCode[] | undefined;
  readonly sender: AlertSender;
  readonly store: Pick<
    Store,
    'meta' | 'write' | 'tryWrite' | 'beforeCommit' | 'onCommit' | 'onRollback' | 'incoming' | 'setAside'
  >;
  readonly platform: NodeJS.Platform;
  readonly outbound: Outbound;
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly log: Logger;
}

const KEY = 'alerts';
const LONGEST_LOOK_MS = 10_000;
const SHORTEST_LOOK_MS = 500;
const NAMES: Readonly<Record<AlertChannel, string>> = {
  webhook: 'the webhook',
  notification: 'the notification',
};

/**
 * Sends alerts when the agent was degraded for long, when it is healthy again, and when an item was set aside. Each
 * event is stored before it is sent, with each attempt, so a restart neither loses nor adds one; an attempt with an
 * unknown result (the agent was killed, the answer was lost) is repeated, so a receiver may get an alert twice, with
 * the same id. A failed one is retried with backoff for a day. While the store cannot be written, alerts are still
 * sent, because that is when they are needed.
 */
export class Alerts {
  private book: AlertBook;
  /** What it was before the write that is open. */
  private before: AlertBook | undefined;
  private isStored = true;
  private timer: Timer | undefined;
  private readonly busy = new Set<AlertChannel>();
  private readonly stopping = new AbortController();
  private readonly failures = new Map<AlertChannel, { readonly since: number; readonly detail: string }>();

  constructor(private readonly options: AlertsOptions) {
    const { store } = options;
    this.book = { ...EMPTY_BOOK, ...store.meta.object<AlertBook>(KEY) };
    store.incoming.onDeadLetter(() => this.setAside());
    // A message that is set aside was counted as a dead letter.
    store.setAside.onNoted((kind) => {
      if (kind !== 'message') this.setAside();
    });
    store.onCommit(() => {
      if (this.before === undefined) return;
      this.before = undefined;
      this.isStored = true;
    });
    store.onRollback(() => {
      this.book = this.before ?? this.book;
      this.before = undefined;
    });
  }

  /** Other settings may fix the failure; the next attempt shows it. */
  settingsChanged(): void {
    this.failures.clear();
    this.keep(noteMended(this.book, this.rules().channels));
    this.start();
  }

  start(): void {
    this.timer?.cancel();
    if (this.stopping.signal.aborted) return;
    const wait = Math.min(LONGEST_LOOK_MS, Math.max(SHORTEST_LOOK_MS, this.options.settings().afterMs / 2));
    this.timer = this.options.clock.after(wait, () => {
      this.start();
      this.look();
    });
  }

  /** No timer and no request is left after this. What was not delivered is, by the next start. */
  stop(): void {
    this.stopping.abort();
    this.timer?.cancel();
  }

  /** Tries every channel. What one does then counts: `fault` goes by it, and where it works, what waits is due. Ends within 10 s. */
  async test(): Promise<AlertsTested> {
    const tested = await testChannels(this.ports(), this.options.platform);
    for (const { channel, kind, detail = '' } of tested.channels)
      this.note(channel, kind === 'delivered' ? { kind } : { kind, detail });
    const working = tested.channels.filter(({ kind }) => kind === 'delivered').map(({ channel }) => channel);
    this.keep(noteMended(this.book, working));
    return tested;
  }

  /** That alerts do not get out, while they do not. */
  fault(): Problem<number, 'alerts_failing'> | undefined {
    const failing = this.rules().channels.flatMap((channel) => {
      const failure = this.failures.get(channel);
      return failure === undefined ? [] : [{ channel, ...failure }];
    });
    if (failing.length === 0) return undefined;
    const details = failing.map(({ channel, detail }) => `${NAMES[channel]}: ${detail}`);
    return {
      code: 'alerts_failing',
      since: Math.min(...failing.map(({ since }) => since)),
      message: `An alert could not be delivered: ${details.join('; ')}.`,
      remedy: 'Correct alerts in the configuration and try it: edge-agent alerts test',
    };
  }

  /** Never throws: what goes wrong in one look may go well in the next. */
  private look(): void {
    const { clock, log } = this.options;
    try {
      const rules = this.rules();
      const now = clock.now();
      const codes = this.codes();
      let next = withoutHopeless(this.book, now, rules.channels);
      if (codes !== undefined) next = noteState(next, codes, now, rules);
      next = sendGathered(next, now, rules);
      this.noteLost(this.book, next, rules.channels);
      this.keep(next);
      for (const delivery of dueDeliveries(this.book, now)) void this.deliver(delivery);
    } catch (error) {
      log.error('The alerts could not be checked; will retry', { cause: describeError(error) });
    }
  }

  /** If the state cannot be read, no event is derived; waiting alerts are still sent. */
  private codes(): readonly ErrorCode[] | undefined {
    try {
      return this.options.state();
    } catch (error) {
      this.options.log.error('The state of the agent could not be read for the alerts', {
        cause: describeError(error),
      });
      return undefined;
    }
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

  /** Never rejects. */
  private async deliver(delivery: AlertDelivery): Promise<void> {
    const { channel, alert } = delivery;
    if (this.busy.has(channel)) return;
    const { clock, log } = this.options;
    this.busy.add(channel);
    try {
      this.keep(noteAttempt(this.book, delivery, clock.now()));
      const end = await deliverAlert(alert, channel, this.ports());
      if (this.stopping.signal.aborted && end.kind !== 'delivered') return;
      this.ended(delivery, end);
    } catch (error) {
      log.error('An alert could not be handled; it is retried', { channel, cause: describeError(error) });
    } finally {
      this.busy.delete(channel);
    }
  }

  private ended(delivery: AlertDelivery, end: AlertEnd): void {
    const { log } = this.options;
    const { alert, channel } = delivery;
    this.note(channel, end);
    if (end.kind !== 'failed') this.keep(noteEnd(this.book, delivery));
    const fields = { event: alert.event, channel, id: alert.id };
    if (end.kind === 'delivered') {
      log.info('Alert delivered', fields);
      return;
    }
    const words =
      end.kind === 'refused'
        ? 'An alert was refused and is given up'
        : 'An alert could not be delivered; it is retried';
    log.warn(words, { ...fields, cause: end.detail });
  }

  /** Whether the channel works: what it did last. */
  private note(channel: AlertChannel, end: AlertEnd): void {
    if (end.kind === 'delivered') {
      this.failures.delete(channel);
      return;
    }
    const since = this.failures.get(channel)?.since ?? this.options.clock.now();
    this.failures.set(channel, { since, detail: end.detail });
  }

  /** Inside the write that sets an item aside. */
  private setAside(): void {
    const { channels } = this.rules();
    if (channels.length === 0) return;
    const { store, clock } = this.options;
    store.write(() => {
      this.before ??= this.book;
      this.book = noteSetAside(this.book, clock.now(), channels);
      store.beforeCommit(this.save);
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

  private ports() {
    const { settings, sender, outbound, env, clock } = this.options;
    return { settings: settings(), sender, outbound, env, clock, signal: this.stopping.signal };
  }

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
