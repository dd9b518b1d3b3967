import type { Store } from '../store/Store.js';
import type { SendRecord } from '../store/sendRecord.js';
import type { Clock } from '../system/clock.js';

/** A message that went out from this account, as chat.db has it. `text` is empty for one of files alone. */
export interface OwnMessage {
  guid: string;
  rowId: number;
  conversation: string;
  text: string;
}

/** Words that somebody wrote in a conversation, and when a text of ours would have gone out that they are (Unix ms). */
export interface UnprovenWords {
  conversation: string;
  text: string;
  from: number;
  to: number;
}

/** `ours`: the agent sent it, or does not serve the conversation. `undecided`: ask again when more is known. */
export type Author = 'ours' | 'undecided' | 'operator';

export interface OperatorRepliesOptions {
  store: Store;
  clock: Clock;
  /** A text as it compares: what Messages changes on the way is levelled out. */
  normalise: (text: string) => string;
}

/**
 * Tells the operator's own messages from the agent's. The agent's are those that prove a text of the send ledger, and
 * those that could: of the same text as one without proof, however late, or of a part of a text of this conversation that is
 * still looked for. Reads the ledger only.
 */
export class OperatorReplies {
  constructor(private readonly options: OperatorRepliesOptions) {}

  authorOf(message: OwnMessage): Author {
    const { store } = this.options;
    const { conversation } = message;
    if (!store.incoming.isHeardFrom(conversation) && !store.sends.isWrittenTo(conversation)) return 'ours';
    if (this.isOurText(message)) return 'ours';
    const mayBecome = store.sends.unproven(conversation).some((send) => this.mayBecome(send, message));
    return mayBecome ? 'undecided' : 'operator';
  }

  /** Whether it proves a text of the ledger, or could. */
  isOurText(message: OwnMessage): boolean {
    const { store } = this.options;
    if (store.sends.isClaimed(message.guid)) return true;
    // On the way to anybody: Messages may have put it into another chat of the same person than we think.
    const unproven = [...store.sends.unproven(message.conversation), ...this.onTheWay()];
    return unproven.some((send) => this.isSame(send, message));
  }

  /** The id of a text of these words that was tried in this conversation between `from` and `to` (Unix ms) and has no row yet. */
  unprovenText({ conversation, text, from, to }: UnprovenWords): string | undefined {
    const { store, normalise } = this.options;
    const words = normalise(text);
    if (words === '') return undefined;
    return store.sends.unproven(conversation).find((send) => {
      const { attemptedAt, file } = send;
      if (attemptedAt === null || attemptedAt < from || attemptedAt > to) return false;
      return file === null && normalise(send.text) === words;
    })?.id;
  }

  private onTheWay(): SendRecord[] {
    const { sends } = this.options.store;
    return [...sends.attempting(), ...sends.watched()];
  }

  /** A row without text is a file's; which one, only its proof can tell. */
  private isSame(send: SendRecord, { text }: OwnMessage): boolean {
    const { normalise } = this.options;
    if (text === '' || send.file !== null) return text === '' && send.file !== null;
    return normalise(send.text) === normalise(text);
  }

  /**
   * While its row is looked for, a text may yet turn out to be a row of a part of it that came after its attempt: Messages may
   * write a link in a text as a row of its own. Neither becomes a file a text nor a text a file.
   */
  private mayBecome(send: SendRecord, { rowId, text }: OwnMessage): boolean {
    const { normalise } = this.options;
    if (send.file !== null || text === '' || !normalise(send.text).includes(normalise(text))) return false;
    if (send.afterRow !== null && rowId <= send.afterRow) return false;
    if (send.state === 'attempting' || send.state === 'confirming') return true;
    return send.watchUntil !== null && send.watchUntil > this.options.clock.now();
  }
}
