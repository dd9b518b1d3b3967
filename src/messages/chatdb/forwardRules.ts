/** A row as far as it is decided by whom and what it is of whether the backend may see it. Addresses are canonical. */
interface ForwardSubject {
  conversation: string;
  /** Null: nobody, or ourselves. */
  sender: string | null;
  /** Messages keeps the chat apart, as of unknown senders or junk. */
  isFiltered: boolean;
  /** Something was sent from here in this chat. True where nobody asks. */
  isAcquainted: boolean;
  /** Null while it does not matter or is not known. */
  text: string | null;
  /** Messages itself marked a code for signing in. */
  hasOneTimeCode: boolean;
}

export type Refusal = 'ignored' | 'not_allowed' | 'unknown_sender' | 'one_time_code';

/** A message that went out from this account. `text` is empty for one of files alone. */
interface OwnRow {
  guid: string;
  rowId: number;
  conversation: string;
  text: string;
  /** Unix ms. */
  sentAt: number | null;
}

/** `ours`: we sent it, or it is none of our business. `undecided`: a text of ours may yet turn out to be this. */
type OwnRowVerdict = 'ours' | 'undecided' | 'operator';

/**
 * Whether a row of which chat.db does not say whether it went out may be a text of ours. `underWay`: one that is looked for has
 * these words, here or (Messages may choose another chat) elsewhere. `lost`: one of this conversation was lately given up
 * without a row.
 */
type MayBeOurs = 'underWay' | 'lost' | 'no';

/** What of chat.db becomes known beyond messages, and what is kept from the backend. */
export interface ForwardRules {
  reactions: boolean;
  groupEvents: boolean;
  /** Whether it is told that a message was kept back for what it is. */
  filtered: boolean;
  /** Whether `ForwardSubject.isAcquainted` has to be found out. */
  asksAcquaintance: boolean;
  /** Why the backend may not see it; null: it may. */
  refusal(subject: ForwardSubject): Refusal | null;
  ownRow(row: OwnRow): OwnRowVerdict;
  mayBeOurs(row: OwnRow & { isFinished: boolean }): MayBeOurs;
  /** Whether it is a text of ours, and no person's from another device. */
  isOurText(row: OwnRow): boolean;
  /** The id of a text that no row proves, of these words, that went out to this conversation in this stretch (Unix ms). */
  unprovenText(said: { conversation: string; text: string; from: number; to: number }): string | undefined;
}

/** Messages of everybody and nothing else. */
export const MESSAGES_ALONE: ForwardRules = {
  reactions: false,
  groupEvents: false,
  filtered: false,
  asksAcquaintance: false,
  refusal: () => null,
  ownRow: () => 'ours',
  mayBeOurs: () => 'no',
  isOurText: () => false,
  unprovenText: () => undefined,
};
