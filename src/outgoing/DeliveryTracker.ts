import { describeError } from '../errors.js';
import type { RowState, SendRecord, SentRows } from '../model/sending.js';
import type { Store } from '../store/Store.js';
import { LIFE } from '../store/sendRecord.js';
import type { LivePlace, LiveText } from '../store/sends.js';
import { type Clock, SteadyTime, type Timer } from '../system/clock.js';

/** What became of a text after it was sent. */
export type DeliveryEvent =
  | { kind: 'delivered' }
  | { kind: 'read' }
  | { kind: 'downgraded'; service: string | null }
  | { kind: 'failed'; error: number };

/** Called once for each step of a sent text's life, inside the write that stores it. */
export type DeliveryListener = (send: SendRecord, event: DeliveryEvent) => void;

const HOT_MS = 2 * 60_000;
const COLD_MS = 48 * 3600_000;
const COLD_EVERY_MS = 60_000;
/** Texts that are compared with chat.db in one turn of the loop. */
const PAGE = 200;
/** After a round of comparing, so many times as long passes until the next one: a twentieth of the time, until the pause is at its longest. */
const REST = 19;
/** Not longer, for a round takes long as well where the machine has no time for us. */
const LONGEST_REST_MS = 1_000;

/**
 * Follows sent texts in chat.db: delivered, read, turned into SMS, failed after all; and those that failed, which Messages may
 * send after all. Those of the last two minutes at every change, then once a minute for 48 hours. chat.db has no index of what was
 * changed, so a round compares the marks of each of them, by its guid and never by a scan, and fetches nothing else of a text of which
 * nothing is new.
 */
export class DeliveryTracker {
  private readonly listeners: DeliveryListener[] = [];
  private timer: Timer | undefined;
  private changedSinceCold = true;
  private hotUntil = 0;
  /** The findings are to be stored at the end of the current look. */
  private isTelling = false;
  private readonly steady: SteadyTime;
  private readonly hot: Round;
  private readonly cold: Round;

  constructor(
    private readonly store: Store,
    private readonly rows: SentRows,
    private readonly clock: Clock,
    /** Inside the write: this row shows that a failed text was sent after all. */
    private readonly arrived: (send: SendRecord, row: RowState) => void,
  ) {
    this.steady = new SteadyTime(clock);
    this.hot = new Round(clock, (place) => this.page(place));
    this.cold = new Round(clock, (place) => this.page(place));
  }

  onEvent(listener: DeliveryListener): void {
    this.listeners.push(listener);
  }

  start(): void {
    this.hotUntil = this.clock.monotonic() + HOT_MS;
    this.store.tryWrite(() => this.store.sends.endLivesBy(this.steady.now() + COLD_MS));
    this.coldLater();
  }

  stop(): void {
    this.timer?.cancel();
    this.hot.stop();
    this.cold.stop();
  }

  /** Inside the write that settles it: the row of a text is known. `reported`: what of its life that was, as LIFE bits. */
  begin(send: SendRecord, reported = 0): void {
    this.store.sends.setReported(send.seq, reported, this.steady.now() + COLD_MS);
    this.hotUntil = this.clock.monotonic() + HOT_MS;
    // Its row may say more already.
    this.store.afterCommit(this.look);
  }

  /** chat.db changed. */
  readonly look = (): void => {
    this.changedSinceCold = true;
    if (this.clock.monotonic() > this.hotUntil) return;
    this.hot.ask(() => ({ lifeUntil: this.steady.now() + COLD_MS - HOT_MS, seq: 0 }));
  };

  private coldLater(): void {
    this.timer = this.clock.after(COLD_EVERY_MS, () => {
      if (this.changedSinceCold && !this.cold.isUnderWay) {
        this.changedSinceCold = false;
        this.cold.ask(() => ({ lifeUntil: 0, seq: 0 }));
      }
      this.coldLater();
    });
  }

  /**
   * Compares the texts after this position, and reports changes. Undefined: not all of that was possible now.
   */
  private page(place: LivePlace): LivePlace | 'end' | undefined {
    // A known change is reported once.
    if (this.isTelling) this.store.commitShared();
    const read = this.store.tryRead(() => {
      const texts = this.store.sends.living(place, PAGE);
      return this.compared(texts) ? { texts } : undefined;
    })?.value;
    if (read === undefined) {
      this.changedSinceCold = true;
      return undefined;
    }
    const last = read.texts.at(-1);
    return last === undefined || read.texts.length < PAGE ? 'end' : last;
  }

  /** False if chat.db could not be read. */
  private compared(texts: readonly LiveText[]): boolean {
    if (texts.length === 0) return true;
    const rows = this.rows.statesOf(texts.flatMap(({ guid }) => guid ?? []));
    const steps = texts.flatMap((text): Step[] => {
      const row = rows?.get(text.guid ?? '');
      const events = row === undefined ? [] : newSteps(text, row);
      const sent = row !== undefined && text.state === 'failed' && isThrough(row) ? row : undefined;
      const isOver = this.steady.age(text.lifeUntil - COLD_MS) > COLD_MS;
      const hasNews = events.length > 0 || sent !== undefined;
      const before = hasNews && row?.error === 0 ? recovered(text.reported) : text.reported;
      const reported = events.reduce((sum, { kind }) => sum | LIFE[kind], before);
      return hasNews || isOver ? [{ text, sent, events, reported, isOver }] : [];
    });
    if (steps.length > 0) this.report(steps);
    return rows !== undefined;
  }

  private report(steps: readonly Step[]): void {
    const { store } = this;
    const take = (step: Step) => this.reportOne(step);
    const setAside = ({ text, reported }: Step, fault: unknown) => {
      store.sends.setReported(text.seq, reported, null);
      store.setAside.note('text', text.id, describeError(fault));
    };
    this.isTelling = true;
    store.share({
      take: () => steps.forEach(take),
      ended: ({ kind }) => {
        this.isTelling = false;
        const areStored = kind === 'failed' ? store.tryEach(steps, take, setAside) : kind === 'stored';
        if (!areStored) this.changedSinceCold = true;
      },
    });
  }

  /**
   * Inside a write: nothing is stored for a text that has changed since it was compared, because another look
   * reported it.
   */
  private reportOne({ text, sent, events, reported, isOver }: Step): void {
    const { sends } = this.store;
    const send = sends.get(text.seq);
    if (send?.reported !== text.reported || send.state !== text.state || send.lifeUntil !== text.lifeUntil)
      return;
    if (sent !== undefined) this.arrived(send, sent);
    // A failure is not the end: Messages may yet send it by SMS.
    const isFinal = isOver || (reported & LIFE.read) !== 0;
    sends.setReported(send.seq, reported, isFinal ? null : text.lifeUntil);
    for (const event of events) for (const listener of this.listeners) listener(send, event);
  }
}

/** What is new of a text. */
interface Step {
  text: LiveText;
  /** It had failed, and this row shows that it was sent. */
  sent: RowState | undefined;
  events: DeliveryEvent[];
  reported: number;
  /** It is not followed any longer. */
  isOver: boolean;
}

/** An error that is gone says nothing yet: Messages may be trying once more. */
function isThrough(row: RowState): boolean {
  return row.error === 0 && (row.isSent || row.isDelivered || row.isRead || row.wasDowngraded);
}

/** What was reported once it succeeded: after that, a second failure is reported again. */
function recovered(reported: number): number {
  return (reported & LIFE.failed) === 0 ? reported : (reported & ~LIFE.failed) | LIFE.recovered;
}

/** The changes in a row that were not reported yet, in the order in which they happened. */
function newSteps({ reported }: LiveText, row: RowState): DeliveryEvent[] {
  const steps: DeliveryEvent[] = [];
  if (row.wasDowngraded) steps.push({ kind: 'downgraded', service: row.service });
  if (row.error !== 0) steps.push({ kind: 'failed', error: row.error });
  else {
    if (row.isDelivered || row.isRead) steps.push({ kind: 'delivered' });
    if (row.isRead) steps.push({ kind: 'read' });
  }
  return steps.filter(({ kind }) => (reported & LIFE[kind]) === 0);
}

/**
 * Goes through all texts that are still tracked, a page in each turn of the event loop, and then pauses in
 * proportion to the time taken.
 */
class Round {
  private timer: Timer | undefined;
  isUnderWay = false;
  /** Something changed since the round that is under way began. */
  private isAskedAgain = false;
  private restsUntil = 0;
  private tookMs = 0;

  constructor(
    private readonly clock: Clock,
    private readonly page: (place: LivePlace) => LivePlace | 'end' | undefined,
  ) {}

  /** A round is made from `from` on: now, or when the rest after the one before is over. */
  ask(from: () => LivePlace): void {
    this.isAskedAgain = true;
    if (this.isUnderWay || this.timer !== undefined) return;
    const rest = this.restsUntil - this.clock.monotonic();
    if (rest <= 0) this.begin(from);
    else this.later(rest, () => this.begin(from));
  }

  stop(): void {
    this.timer?.cancel();
  }

  private begin(from: () => LivePlace): void {
    this.isUnderWay = true;
    this.isAskedAgain = false;
    this.tookMs = 0;
    this.goOn(from(), from);
  }

  private goOn(place: LivePlace, from: () => LivePlace): void {
    const began = this.clock.monotonic();
    let next: LivePlace | 'end' | undefined;
    try {
      next = this.page(place);
    } finally {
      const now = this.clock.monotonic();
      this.tookMs += now - began;
      // Whatever tripped, the next change is looked at.
      this.isUnderWay = typeof next === 'object';
      this.restsUntil = now + Math.min(this.tookMs * REST, LONGEST_REST_MS);
    }
    if (typeof next === 'object') {
      const behind = next;
      this.later(0, () => this.goOn(behind, from));
    } else if (this.isAskedAgain) this.ask(from);
  }

  private later(ms: number, run: () => void): void {
    this.timer = this.clock.after(ms, () => {
      this.timer = undefined;
      run();
    });
  }
}
