import type { ErrorCode } from '../model/errorCodes.js';
import type { MachineFault } from '../system/failures.js';

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
  /** This file goes out instead of the text: its absolute path. */
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
  /** Starts an attempt before it returns, or as soon as Messages is up; resolves when it ended, at its deadline at the latest. Never rejects. */
  start(attempt: SendAttempt): Promise<AttemptResult>;
  /**
   * For an attempt of an earlier life of the daemon: waits for its process, as long as a send may take; tells if it may have
   * dispatched. `isSameBoot`: the machine has not been started anew since. Undefined: we are stopping, and its process is left
   * to the next start.
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
  /** chat.db does not say (yet) whether it came in or went out: one of ours is written so at first. Left out: it went out. */
  isUndecided?: boolean;
  /** For a row without text and chat: the conversation that its handle names. macOS 26 leaves such ghosts of failed sends. */
  ghostOf: string | null;
}

/** A file of an outgoing row, as it arrives. */
export interface SentFile {
  name: string | null;
  sizeBytes: number;
}

/** Brings files onto this Mac. */
export interface FileFetcher {
  /** Fetches and stages a file under that name. Ends by its own deadline; never rejects. */
  fetch(url: string, name: string, stop: AbortSignal): Promise<FetchedFile>;
}

/**
 * `path` is absolute. `kept`: this machine is at fault, so it is fetched again until that is over. `stopped`: we are
 * stopping; the next start fetches it.
 */
export type FetchedFile =
  | { kind: 'kept'; fault: MachineFault }
  | { kind: 'fetched'; path: string }
  | { kind: 'failed'; errorCode: ErrorCode; message: string }
  | { kind: 'stopped' };

/** chat.db, as far as the proof of a send goes. */
export interface SentRows {
  /** The newest row now, and when ROWIDs were last found given out anew (Unix ms); undefined while chat.db cannot be read. */
  position(): { generation: string; rowId: number; movedAt: number | null } | undefined;
  /** Outgoing rows after that one, oldest first, and those that may yet become some. */
  after(rowId: number): readonly SentRow[];
  /** Outgoing rows of then (Unix ms) and later, in the order of their dates. */
  since(sentAt: number): readonly SentRow[];
  /** The files of an outgoing row that have been joined to it so far. */
  filesOf(rowId: number): readonly SentFile[];
  /** Where the row with this guid is now; undefined: nowhere. */
  rowIdOf(guid: string): number | undefined;
  /** One outgoing row as it stands now. */
  find(guid: string): SentRow | undefined;
  /** Text as it compares: what Messages changes on the way (quotes, spaces, variation selectors) is levelled out. */
  normalise(text: string): string;
}
