import type { SendRecord } from '../model/sending.js';
import { isOfAttempt, type Kinship, kinshipOf, orderOf } from '../store/cursor.js';
import type { Store } from '../store/Store.js';
import { type Clock, SteadyTime } from '../system/clock.js';

/** A message that was sent from this account, as in chat.db. `text` is empty if it has only files. */
export interface OwnAccountRow {
  guid: string;
  rowId: number;
  conversation: string;
  text: string;
  /** Unix ms. */
  sentAt: number | null;
}

/** A text written in a conversation, and when our text would have been sent if it is ours (Unix ms). */
export interface UnprovenWords {
  conversation: string;
  text: string;
  from: number;
  to: number;
}

/** `ours`: the agent sent it, or does not serve the conversation. `undecided`: ask again when more is known. */
type Author = 'ours' | 'undecided' | 'operator';

interface OperatorRepliesOptions {
  store: Store;
  clock: Clock;
  /** A text as it compares: what Messages changes on the way is levelled out. */
  normalise: (text: string) => string;
}

/** Rows that are not settled are compared with so many of the newest texts, tried within this time. */
const MOST_RECENT = 50;
const RECENT_MS = 200_000;
/** How long after its attempt a text without a row may still own a row with its words and an unknown sender. */
const LOST_MS = 3_600_000;

/**
 * Distinguishes the operator's own messages from the agent's. The agent's are those that prove a text of the send
 * ledger, and those that could: with the same text as an unproven one, however late, or with a part of a text of this
 * conversation whose row is still looked for. Reads the ledger only.
 */
export class OperatorReplies {
  private readonly steady: SteadyTime;

  constructor(private readonly options: OperatorRepliesOptions) {
    this.steady = new SteadyTime(options.clock);
  }

  authorOf(message: OwnAccountRow): Author {
    const { store } = this.options;
    const { conversation } = message;
    if (!store.incoming.isHeardFrom(conversation) && !store.sends.isWrittenTo(conversation)) return 'ours';
    if (this.isOurText(message) || this.isFromGap(message)) return 'ours';
    const mayBecome = store.sends.unproven(conversation).some((send) => this.mayBecome(send, message));
    return mayBecome ? 'undecided' : 'operator';
  }

  /**
   * The agent that ran at that time reported what the operator wrote; a row from that time that the ledger does not
   * know may be the agent's.
   */
  private isFromGap(message: OwnAccountRow): boolean {
    const { lineage, cursor } = this.options.store;
    const gap = lineage.gap();
    if (gap === undefined || gap.reason === 'new') return false;
    return lineage.isInGap(message, cursor.order()) || this.isBegun(message);
  }

  /** Whether it may be a text that an agent had begun to send which the store forgot. */
  private isBegun(message: OwnAccountRow): boolean {
    const comesUntil = this.options.store.lineage.rowComesUntil({ ...message, file: null });
    return comesUntil !== undefined && message.sentAt !== null && message.sentAt <= comesUntil;
  }

  private mayBeForgotten(message: OwnAccountRow & { isFinished: boolean }): boolean {
    return this.isBegun(message) || (!message.isFinished && this.isFromGap(message));
  }

  /** Whether it proves a text of the ledger, or could. */
  isOurText(message: OwnAccountRow): boolean {
    const { sends } = this.options.store;
    const isKin = (send: SendRecord) => this.kinship(send, message) === 'whole';
    // Being sent to anyone: Messages may have put it into another chat of the same person than expected. Most are, so that is asked first.
    if (this.onTheWay().some(isKin)) return true;
    if (sends.isClaimed(message.guid) || this.isCopyOfProven(message)) return true;
    return sends.unproven(message.conversation).some(isKin);
  }

  /**
   * Whether a row may be a text of ours that chat.db does not show as sent (yet). `underWay`: a text whose row is
   * looked for has its words, in this conversation or any other; `lost`: one of this conversation was given up without
   * a row within the hour. A row that is not finished (a person's message never is) may belong to a text that another
   * row with the same words has proven, or to one that was lost with a replaced store.
   */
  mayBeOurs(message: OwnAccountRow & { isFinished: boolean }): 'underWay' | 'lost' | 'no' {
    const { store } = this.options;
    if (this.mayBeForgotten(message)) return 'underWay';
    const isKin = (send: SendRecord) =>
      this.kinship(send, message) === 'whole' && this.isAfter(send, message);
    const here = store.sends.unproven(message.conversation);
    if (here.some((send) => this.mayBecome(send, message) || (this.isLookedFor(send) && isKin(send))))
      return 'underWay';
    if (this.onTheWay().some(isKin)) return 'underWay';
    const recent = message.isFinished ? [] : store.sends.newestTo(message.conversation, MOST_RECENT);
    const isTriedWithin = (ms: number) => (send: SendRecord) =>
      this.steady.age(send.attemptedAt ?? 0) < ms && isKin(send);
    if (recent.some(isTriedWithin(RECENT_MS))) return 'underWay';
    if (!message.isFinished && this.isCopyOfProven(message)) return 'underWay';
    return [...here, ...recent].some(isTriedWithin(LOST_MS)) ? 'lost' : 'no';
  }

  /** The id of a text of these words that was tried in this conversation between `from` and `to` (Unix ms) and has no row yet. */
  unprovenText({ conversation, text, from, to }: UnprovenWords): string | undefined {
    const { store, normalise } = this.options;
    if (normalise(text) === '') return undefined;
    return store.sends.unproven(conversation).find((send) => {
      const { attemptedAt } = send;
      if (attemptedAt === null || attemptedAt < from || attemptedAt > to) return false;
      return kinshipOf(send, { text }, normalise) === 'whole';
    })?.id;
  }

  /** A row of the time and with the words of a text that another row proves: iCloud wrote that one again, under another guid. */
  private isCopyOfProven(message: OwnAccountRow): boolean {
    const { sentAt } = message;
    if (sentAt === null) return false;
    const proven = this.options.store.sends.provenAt(message.conversation, sentAt);
    return proven.some((send) => this.kinship(send, message) === 'whole');
  }

  private onTheWay(): SendRecord[] {
    const { sends } = this.options.store;
    return [...sends.attempting(), ...sends.watched()];
  }

  private kinship(send: SendRecord, message: OwnAccountRow): Kinship {
    return kinshipOf(send, message, this.options.normalise);
  }

  /**
   * While its row is looked for, a row with a part of the text that came after the attempt may turn out to belong to
   * it: Messages may write a link in a text as a separate row. A file never becomes a text, nor a text a file.
   */
  private mayBecome(send: SendRecord, message: OwnAccountRow): boolean {
    if (this.kinship(send, message) === 'none' || send.file !== null) return false;
    return this.isAfter(send, message) && this.isLookedFor(send);
  }

  private isAfter(send: SendRecord, message: OwnAccountRow): boolean {
    const { cursor } = this.options.store;
    const generation = cursor.get()?.generation;
    const movedAt = cursor.reading()?.movedAt ?? null;
    return isOfAttempt(
      send,
      message,
      generation === undefined ? send.generation : orderOf({ generation, movedAt }),
    );
  }

  private isLookedFor({ state, watchUntil }: SendRecord): boolean {
    if (state === 'attempting' || state === 'confirming') return true;
    return watchUntil !== null;
  }
}
