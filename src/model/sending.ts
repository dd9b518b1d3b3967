import type { ErrorCode } from './errorCodes.js';

/**
 * One way to address a conversation in Messages: an existing chat by its guid, a participant of an account, or a number
 * on the SMS account.
 */
export interface SendTarget {
  form: 'chat' | 'participant' | 'sms';
  /** The chat's guid exactly as chat.db has it, or the person's address. */
  address: string;
  /** The Messages account to send from; null: the first iMessage account. */
  accountId: string | null;
}

export interface SendAttempt {
  /** Unique; names the private file that the attempt leaves, and its process. */
  tag: string;
  text: string;
  /** The absolute path of the file that is sent instead of the text. */
  file: string | null;
  target: SendTarget;
}

/**
 * What became of one attempt. `notStarted`: proven that nothing was dispatched; `fallback` means another target form
 * may work, `later` that the same may work in a moment, `never` that it will not. `unknown`: it may have been sent.
 */
export type AttemptResult =
  | { kind: 'accepted' }
  | { kind: 'notStarted'; errorCode: ErrorCode; message: string; retry: 'fallback' | 'later' | 'never' }
  | { kind: 'unknown'; message: string };

/** Messages.app, as far as sending goes. */
export interface MessageSender {
  /**
   * The ways to address a conversation, best first; empty if there is none (an unknown group, say). Never invented.
   * Undefined if that cannot be known now, as chat.db cannot be read.
   * `answeredChat`: the guid of the chat in which the message came that is answered; a person is written to by that one.
   */
  targets(
    conversation: string,
    threadId: string,
    answeredChat?: string | null,
  ): readonly SendTarget[] | undefined;
  /** Whether such a conversation has no way out because SMS may not be used (`outgoing.sms_fallback: never`). */
  needsSms?(conversation: string, threadId: string): boolean;
  /**
   * Asked when a text is due, before it is stored as being attempted. A promise: none may begin, and it is asked again when that
   * has resolved (the same promise for the same wait; it never rejects). Undefined: the text may begin.
   */
  hold?(): Promise<unknown> | undefined;
  /** Starts an attempt before it returns; resolves when it ended, at its deadline at the latest. Never rejects. */
  start(attempt: SendAttempt): Promise<AttemptResult>;
  /**
   * For an attempt of an earlier run of the daemon: waits for its process, as long as a send may take; returns whether
   * it may have dispatched. `isSameBoot`: the machine has not been restarted since. Undefined: we are stopping, and its
   * process is left to the next start.
   */
  settle(tag: string, isSameBoot: boolean): Promise<{ dispatched: boolean } | undefined>;
  /** Drops what an attempt left behind. */
  forget(tag: string): void;
}

/** A row of chat.db that we, or another device of the account, sent. */
export interface SentRow {
  rowId: number;
  guid: string;
  /** Unix ms. */
  sentAt: number | null;
  /** The conversation's key; null while the row has no chat and no handle. */
  conversation: string | null;
  text: string;
  service: string | null;
  /** Messages' error number; 0: none. */
  error: number;
  isSent: boolean;
  isDelivered: boolean;
  isRead: boolean;
  wasDowngraded: boolean;
  /** chat.db does not show (yet) whether it was received or sent: our rows are first written that way. Left out: it was sent. */
  isUndecided?: boolean;
  /** For a row without text and chat: the conversation that its handle names. macOS 26 leaves such ghosts of failed sends. */
  ghostOf: string | null;
}

/** What the marks of an outgoing row say of its fate, as they stand now. */
export type RowState = Pick<
  SentRow,
  'guid' | 'service' | 'error' | 'isSent' | 'isDelivered' | 'isRead' | 'wasDowngraded'
>;

/** A file of an outgoing row, as it arrives. */
export interface SentFile {
  name: string | null;
  sizeBytes: number;
}

/** Where a row is and how it is dated (Unix ms), and its error: a row that Messages has written to since has another of them. */
export type RowPlace = Pick<SentRow, 'guid' | 'rowId' | 'sentAt' | 'error'>;

/** Of the rows that are asked for, those dated up to then (Unix ms), and those up to this place by whatever date. */
export interface RowsWithin {
  until: number;
  untilRow: number;
}

/** chat.db, as far as the proof of a send goes. */
export interface SentRows {
  /** The newest row now, and when ROWIDs were last found to be reassigned (Unix ms); undefined while chat.db cannot be read. */
  position(): { generation: string; rowId: number; movedAt: number | null } | undefined;
  /** Outgoing rows after that one, oldest first, and those that may yet become some. */
  after(rowId: number, within?: RowsWithin): readonly SentRow[];
  /** Outgoing rows of then (Unix ms) and later, in the order of their dates. */
  since(sentAt: number, within?: RowsWithin): readonly SentRow[];
  /** Outgoing rows that are dated in one of these milliseconds (Unix ms). */
  datedAt(times: readonly number[]): readonly SentRow[];
  /** The files of an outgoing row that have been joined to it so far. */
  filesOf(rowId: number): readonly SentFile[];
  /** Where the row with this guid is now; undefined: nowhere. */
  rowIdOf(guid: string): number | undefined;
  /** The current outgoing rows with these guids, and those that may still become some. */
  named(guids: readonly string[]): readonly SentRow[];
  /** The current positions of the rows with these guids, from any sender. */
  placesOf(guids: readonly string[]): readonly RowPlace[];
  /** The marks of the outgoing rows with these guids, by guid; undefined while chat.db cannot be read. */
  statesOf(guids: readonly string[]): ReadonlyMap<string, RowState> | undefined;
  /** What several of these reads find; undefined if one of them was not possible: that no row was found proves nothing then. */
  whole<T>(reads: () => T): T | undefined;
  /** Text as it compares: what Messages changes on the way (quotes, spaces, variation selectors) is levelled out. */
  normalise(text: string): string;
}

/**
 * queued → attempting → confirming → sent | failed | unknown; a duplicate also waiting → queued | deduplicated.
 * staging: it has its place in the lane and waits for a file of its request to be fetched. attempting: osascript may
 * have been started. confirming: it ended and the text's row is looked for in chat.db.
 */
export type SendState =
  | 'staging'
  | 'queued'
  | 'waiting'
  | 'attempting'
  | 'confirming'
  | 'sent'
  | 'failed'
  | 'unknown'
  | 'deduplicated';

/** reflex: pushed ahead of a reply; first: a reply's first bubble; bubble: its later ones; message: anything else. */
export type SendRole = 'reflex' | 'first' | 'bubble' | 'message';

export interface NewSend {
  /** Derived from the cause, so that one cause can never be enqueued twice. */
  id: string;
  conversation: string;
  threadId: string;
  text: string;
  role: SendRole;
  /** 0 (immediate) to 4 (deferred). */
  priority: number;
  /** The least time since the conversation's previous text, in ms. */
  pauseMs: number;
  commandId: string | null;
  scheduleId: string | null;
  /** The guid of the message that this text answers, where that is known. */
  answers: string | null;
  /** The message that a reflex which names none is assumed to answer. It is never reported: it may be wrong. */
  assumed?: string | null;
  /** Equal for reflexes and first bubbles of equal words in one conversation; null for other texts. */
  twinKey: string | null;
  /** The seq of the send that is sent instead; null: it is sent itself. */
  twin: number | null;
  state: 'staging' | 'queued' | 'waiting' | 'deduplicated' | 'failed';
  errorCode: string | null;
  error: string | null;
  /** The request that this is one of several parts of; null: it is the whole. */
  partOf?: string | null;
  /** Its place among the parts, from 1; 0 for the whole. */
  part?: number;
  /** The file that is sent instead of a text: its absolute path; only its name while it has not been fetched. */
  file?: string | null;
  /** Where the file is to be fetched from; null for a text, and for a file that was staged at once. */
  source?: string | null;
  /** The guid of the chat in which the message came that this text answers; null where that is not known. */
  chatGuid?: string | null;
}

/** A text that was ever to go out. Times are Unix ms. */
export interface SendRecord extends Required<Omit<NewSend, 'state'>> {
  seq: number;
  place: number;
  state: SendState;
  createdAt: number;
  notBefore: number;
  /** Failures since it was last sent again, by which the next pause is long. */
  attempts: number;
  /** How often its sending was begun. */
  tries: number;
  /** How often it was sent again although its outcome was unknown. */
  resends: number;
  /** Which of the target forms is next (0: the best one). */
  form: number;
  /** Names the attempt: its private file and its process. */
  tag: string | null;
  generation: string | null;
  afterRow: number | null;
  attemptedAt: number | null;
  endedAt: number | null;
  watchUntil: number | null;
  guid: string | null;
  service: string | null;
  /** What was reported of its later life: a sum of LIFE bits. */
  reported: number;
  /** Until when its later life is looked for; null: not. */
  lifeUntil: number | null;
  /** 1 while the staged copy of its file may exist. */
  staged: number;
  settledAt: number | null;
}

/** A file to be sent: staged already (`path`), or to be fetched first (`url`). `name` is what the person sees. */
export type OutgoingFile = { readonly name: string } & ({ readonly path: string } | { readonly url: string });

/**
 * A text to be sent, with or without files; or files alone, with an empty text. `id` is derived from its cause: the same id
 * is never sent twice.
 */
export interface TextRequest {
  id: string;
  conversation: string;
  threadId: string;
  text: string;
  role: SendRole;
  /** 0 (immediate) to 4 (deferred). */
  priority: number;
  /** The least time since the conversation's previous text, in ms. */
  pauseMs: number;
  commandId?: string;
  scheduleId?: string;
  /** The guid of the message that this answers. */
  answers?: string;
  /** Sent after the text, each separately. */
  files?: readonly OutgoingFile[];
}

/** Where texts go out; called inside a write. */
export interface TextQueue {
  enqueue(request: TextRequest): void;
}
