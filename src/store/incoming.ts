import type { IncomingMessage } from '../model/incoming.js';
import type { Clock } from '../system/clock.js';
import type {
  HeldReplyRecord,
  IncomingEnd,
  IncomingRecord,
  IncomingRow,
  Others,
  PostedMessage,
  PostedRow,
} from './incomingRecord.js';
import { columns, type Database, readStored, type Statement, type StoredRows } from './sqlite.js';

/** Why a message ended unanswered that was not delivered to the backend in time; others are unsent, withdrawn or dropped. */
export const PAST_ITS_AGE = 'past its age';

/** So many answers show how the backend is; the newest count. */
const MOST_OTHERS = 500;

interface Numbered {
  conversation: string;
  sequence: number;
}

/** Messages from people: stored once by guid, open until the backend has answered or they are past answering. */
export class IncomingTable {
  private readonly insert: Statement;
  private readonly selectNumbered: Statement;
  private readonly selectUnnumbered: Statement;
  private readonly selectOldestNumbered: Statement;
  private readonly noteSequence: Statement;
  private readonly returnSequence: Statement;
  private readonly unnumber: Statement;
  private readonly unnumberShared: Statement;
  private readonly hold: Statement;
  private readonly selectHeld: Statement;
  private readonly selectHeldConversations: Statement;
  private readonly selectConversations: Statement;
  private readonly selectNewest: Statement;
  private readonly selectPosted: Statement;
  private readonly selectKnown: Statement;
  private readonly countResend: Statement;
  private readonly selectMessage: Statement;
  private readonly selectSequence: Statement;
  private readonly selectAnyOf: Statement;
  private readonly updateMessage: Statement;
  private readonly updateWithdrawn: Statement;
  private readonly updateReversed: Statement;
  private readonly selectReversed: Statement;
  private readonly selectUnread: Statement;
  private readonly selectAhead: Statement;
  private readonly started: Statement;
  private readonly failed: Statement;
  private readonly end: Statement;
  private readonly selectOthers: Statement;
  private readonly selectOpenCount: Statement;
  private readonly selectExpired: Statement;
  private readonly retryAllBy: Statement;
  private readonly openListeners: ((conversation: string) => void)[] = [];
  private readonly deadLetterListeners: (() => void)[] = [];
  private readonly withdrawnListeners: ((conversation: string) => void)[] = [];
  private readonly insertListeners: ((message: IncomingMessage) => void)[] = [];

  constructor(
    database: Database,
    private readonly clock: Clock,
    private readonly rows: StoredRows,
  ) {
    this.insert = database.prepare(
      `INSERT INTO incoming (guid, conversation, message, sent_at, seen_at, state) VALUES (?, ?, ?, ?, ?, 'open')
       ON CONFLICT (guid) DO NOTHING`,
    );
    const record = columns<IncomingRow>(
      'seq',
      'guid',
      'message',
      'seenAt',
      'sequence',
      'attempts',
      'firstPostedAt',
      'sendsBefore',
      'retryAt',
      'strikes',
      'firstStrikeAt',
    );
    this.selectNumbered = database.prepare(
      `SELECT ${record} FROM incoming
       WHERE state = 'open' AND sequence IS NOT NULL AND conversation = ? ORDER BY sequence, seq LIMIT +?`,
    );
    this.selectUnnumbered = database.prepare(
      `SELECT ${record} FROM incoming
       WHERE state = 'open' AND sequence IS NULL AND conversation = ? ORDER BY sent_at, seq LIMIT +?`,
    );
    this.selectOldestNumbered = database
      .prepare(
        "SELECT min(sequence) FROM incoming WHERE state = 'open' AND sequence IS NOT NULL AND conversation = ?",
      )
      .pluck();
    this.noteSequence = database.prepare(
      `INSERT INTO message_sequences (conversation, newest) VALUES (?, ?)
       ON CONFLICT (conversation) DO UPDATE SET newest = max(newest, excluded.newest)`,
    );
    // A message of a conversation that is part of this one now may have the same number.
    const isShared = `EXISTS (SELECT 1 FROM incoming AS other
       WHERE (other.conversation, other.sequence) = (own.conversation, own.sequence) AND other.seq <> own.seq)`;
    // A message that was withdrawn while it was being posted was reported with its number.
    const isUnread = "own.seq = ? AND own.first_posted_at IS NULL AND own.state = 'open'";
    this.returnSequence = database.prepare(
      `UPDATE message_sequences SET newest = newest - 1
       WHERE (conversation, newest) = (SELECT conversation, sequence FROM incoming AS own WHERE ${isUnread} AND NOT ${isShared})`,
    );
    this.unnumberShared = database.prepare(
      `UPDATE incoming AS own SET sequence = NULL WHERE ${isUnread} AND ${isShared}`,
    );
    this.unnumber = database.prepare('UPDATE incoming SET sequence = NULL WHERE seq = ?');
    this.hold = database.prepare('UPDATE incoming SET held_reply = ? WHERE seq = ?');
    this.selectHeld = database.prepare(
      `SELECT seq, guid, message, sequence, held_reply AS reply FROM incoming
       WHERE held_reply IS NOT NULL AND conversation = ? ORDER BY sequence, seq`,
    );
    this.selectHeldConversations = database
      .prepare('SELECT DISTINCT conversation FROM incoming WHERE held_reply IS NOT NULL')
      .pluck();
    this.selectConversations = database
      .prepare("SELECT DISTINCT conversation FROM incoming WHERE state = 'open'")
      .pluck();
    this.selectNewest = database
      .prepare('SELECT guid FROM incoming WHERE seq > (SELECT max(seq) FROM incoming) - ? ORDER BY seq DESC')
      .pluck();
    const posted = (where: string) =>
      `SELECT guid, state = 'open' AS isOpen, attempts - unread_attempts AS posts, sends_before AS sendsBefore, sent_at, seq
       FROM incoming WHERE ${where} AND first_posted_at IS NOT NULL`;
    this.selectPosted = database.prepare(
      `${posted("state = 'open' AND conversation = ?")} UNION ALL
       ${posted('conversation = ? AND settled_at IS NOT NULL AND settled_at >= ?')} UNION ALL
       ${posted('conversation = ? AND held_reply IS NOT NULL AND settled_at < ?')} ORDER BY sent_at, seq`,
    );
    this.selectKnown = database.prepare('SELECT 1 FROM incoming WHERE guid = ?').pluck();
    this.selectSequence = database.prepare('SELECT sequence FROM incoming WHERE guid = ?').pluck();
    this.selectMessage = database.prepare('SELECT message FROM incoming WHERE guid = ?').pluck();
    this.selectAnyOf = database.prepare('SELECT 1 FROM incoming WHERE conversation = ? LIMIT 1').pluck();
    this.updateMessage = database
      .prepare('UPDATE incoming SET message = ? WHERE guid = ? RETURNING first_posted_at IS NULL')
      .pluck();
    this.updateWithdrawn = database.prepare(
      `UPDATE incoming SET state = 'expired', last_error = ?, settled_at = ?
       WHERE guid = ? AND state IN ('open', 'parked') RETURNING conversation`,
    );
    this.updateReversed = database.prepare('UPDATE incoming SET reversed = 1 WHERE guid = ?');
    this.selectReversed = database.prepare('SELECT reversed FROM incoming WHERE guid = ?').pluck();
    this.selectUnread = database
      .prepare('SELECT first_posted_at IS NULL FROM incoming WHERE guid = ?')
      .pluck();
    this.selectAhead = database
      .prepare('SELECT sent_at > min(seen_at, ?) FROM incoming WHERE guid = ?')
      .pluck();
    // A store that was rebuilt may have lost the counter and kept the messages: no number is used twice.
    this.started = database.prepare(
      `UPDATE incoming SET attempts = attempts + 1, first_posted_at = coalesce(first_posted_at, ?),
         sends_before = coalesce(sends_before, ?),
         sequence = coalesce(sequence,
           (SELECT newest + 1 FROM message_sequences AS counter WHERE counter.conversation = incoming.conversation),
           (SELECT max(other.sequence) + 1 FROM incoming AS other WHERE other.conversation = incoming.conversation),
           1)
       WHERE seq = ? RETURNING conversation, sequence`,
    );
    this.failed = database.prepare(
      `UPDATE incoming SET retry_at = ?, strikes = ?, first_strike_at = ?, last_error = ?,
         first_posted_at = iif(unread_attempts + ? >= attempts, NULL, first_posted_at),
         sends_before = iif(unread_attempts + ? >= attempts, NULL, sends_before),
         unread_attempts = unread_attempts + ? WHERE seq = ?`,
    );
    this.countResend = database.prepare('UPDATE incoming SET attempts = attempts + 1 WHERE seq = ?');
    // What was taken back while it was being posted stays so, unless it was answered.
    this.end = database.prepare(
      `UPDATE incoming SET state = ?, last_error = coalesce(?, last_error), settled_at = ?
       WHERE seq = ? AND (state = 'open' OR ? = 'answered')`,
    );
    this.retryAllBy = database.prepare(
      "UPDATE incoming SET retry_at = ? WHERE state = 'open' AND retry_at > ?",
    );
    this.selectOthers = database.prepare(
      `SELECT count(*) AS answered, coalesce(sum(max(min(failures, ?), 0)), 0) AS failures FROM (
         SELECT attempts - unread_attempts - 1 AS failures FROM incoming WHERE state = 'answered' AND settled_at BETWEEN ? AND ?
         ORDER BY settled_at DESC LIMIT ${MOST_OTHERS})`,
    );
    this.selectOpenCount = database.prepare("SELECT count(*) FROM incoming WHERE state = 'open'").pluck();
    this.selectExpired = database.prepare(
      `SELECT count(*) AS count, max(settled_at) AS newestAt FROM incoming WHERE state = 'expired' AND last_error = '${PAST_ITS_AGE}'`,
    );
  }

  /** Stores a message; false if its guid is known already (then nothing changes). */
  add(message: IncomingMessage): boolean {
    const { guid, conversation, sentAt } = message;
    const body = JSON.stringify(message);
    if (this.insert.run(guid, conversation, body, sentAt, this.clock.now()).changes === 0) return false;
    for (const listener of this.insertListeners) listener(message);
    for (const listener of this.openListeners) listener(conversation);
    return true;
  }

  /** Inside a write: messages of this conversation are to be posted again. */
  reopened(conversation: string): void {
    for (const listener of this.openListeners) listener(conversation);
  }

  /** Calls `listener` inside the write that adds a message to be posted: one that is new, or one that is to be posted again. */
  onOpen(listener: (conversation: string) => void): void {
    this.openListeners.push(listener);
  }

  /** Calls `listener` for each message that is not posted any more, inside the write that withdraws it. */
  onWithdrawn(listener: (conversation: string) => void): void {
    this.withdrawnListeners.push(listener);
  }

  /** Calls `listener` with each message that is new, inside the write that inserts it. */
  onInsert(listener: (message: IncomingMessage) => void): void {
    this.insertListeners.push(listener);
  }

  /** Conversations with open messages. */
  openConversations(): string[] {
    return this.selectConversations.all() as string[];
  }

  /** The guids of the messages added last, the newest first. */
  newestGuids(limit: number): string[] {
    return this.selectNewest.all(limit) as string[];
  }

  /**
   * The first open messages of a conversation in the order in which they are posted: by number, then as they were written. One
   * of which the store has nothing that can be read is set aside and left out: those behind it must not wait for it.
   */
  open(conversation: string, limit: number): IncomingRecord[] {
    for (;;) {
      const numbered = this.selectNumbered.all(conversation, limit) as IncomingRow[];
      const others = this.selectUnnumbered.all(conversation, limit - numbered.length) as IncomingRow[];
      const records: IncomingRecord[] = [];
      let isWhole = true;
      for (const { guid, ...row } of [...numbered, ...others]) {
        const message = storedMessage(row.message);
        if (message === null) {
          isWhole = false;
          this.settle(row.seq, 'parked', DAMAGED);
          this.rows.note('incoming', guid);
        } else records.push({ ...row, message });
      }
      if (isWhole) return records;
    }
  }

  /**
   * Messages of a conversation that the backend may have read: open, settled since (Unix ms), or with a reply that is held. In the
   * order of writing.
   */
  posted(conversation: string, settledSince: number): PostedMessage[] {
    const ended = [conversation, settledSince];
    const rows = this.selectPosted.all(conversation, ...ended, ...ended) as PostedRow[];
    return rows.map(({ guid, isOpen, posts, sendsBefore }) => ({
      guid,
      isOpen: isOpen === 1,
      posts,
      sendsBefore,
    }));
  }

  /** Whether a message of that guid is stored, whatever became of it. */
  isKnown(guid: string): boolean {
    return this.selectKnown.get(guid) !== undefined;
  }

  /** The number of that message; undefined if it was never posted or is unknown. */
  sequenceOf(guid: string): number | undefined {
    return (this.selectSequence.get(guid) as number | null | undefined) ?? undefined;
  }

  /** A message of the last days, whatever became of it. */
  find(guid: string): IncomingMessage | undefined {
    const message = this.selectMessage.get(guid) as string | undefined;
    return message === undefined ? undefined : this.rows.object('incoming', guid, message, isWholeMessage);
  }

  /** Whether a message of this conversation came lately. */
  isHeardFrom(conversation: string): boolean {
    return this.selectAnyOf.get(conversation) !== undefined;
  }

  /** Inside a write: what a message is now; it is posted so from now on. True if the backend cannot have read what it was. */
  rewrite(message: IncomingMessage): boolean {
    return this.updateMessage.get(JSON.stringify(message), message.guid) === 1;
  }

  /** Whether the backend cannot have read a message yet; false if it is unknown. */
  isUnread(guid: string): boolean {
    return this.selectUnread.get(guid) === 1;
  }

  /** Whether a message was dated in the future when it was read, or is so now: its sender's clock was ahead of ours, or ours was. */
  isDatedAhead(guid: string): boolean {
    return this.selectAhead.get(this.clock.now(), guid) === 1;
  }

  /** Inside a write: a message is not posted any more. True if the backend cannot have read it. */
  withdraw(guid: string, why = 'unsent by its sender'): boolean {
    const row = this.updateWithdrawn.get(why, this.clock.now(), guid) as { conversation: string } | undefined;
    if (row !== undefined) for (const listener of this.withdrawnListeners) listener(row.conversation);
    return this.isUnread(guid);
  }

  /**
   * Inside a write: a message turned out to have gone out from this account. It is not posted any more, and nothing answers it.
   * True if the backend cannot have read it.
   */
  reverse(guid: string): boolean {
    this.updateReversed.run(guid);
    return this.withdraw(guid, 'sent from this account');
  }

  /** Whether it turned out to have gone out from this account. */
  isReversed(guid: string): boolean {
    return this.selectReversed.get(guid) === 1;
  }

  /**
   * Inside a write: counts an attempt. The first one also records when, and which send was the newest then, and gives the
   * message the next number of its conversation. Returns that number, which every later attempt has too.
   */
  postStarted(seq: number, newestSend: number): number {
    const { conversation, sequence } = this.started.get(this.clock.now(), newestSend, seq) as Numbered;
    this.noteSequence.run(conversation, sequence);
    return sequence;
  }

  /** The current attempt is automatically sent again: the backend may read it twice. */
  postResent(seq: number): void {
    this.countResend.run(seq);
  }

  /**
   * `isUnread`: this attempt cannot have been read, and does not count as a post. If that is true of every attempt, the
   * message counts as never posted and its number is free again, unless a later number was assigned, or the message was
   * withdrawn meanwhile and reported with the number. So a message that never reached the backend leaves no gap. An
   * attempt with an unknown result counts as read.
   */
  postFailed(
    seq: number,
    failure: {
      retryAt: number;
      strikes: number;
      firstStrikeAt: number | null;
      isUnread: boolean;
      error: string;
    },
  ): void {
    const { retryAt, strikes, firstStrikeAt, error } = failure;
    const isUnread = failure.isUnread ? 1 : 0;
    this.failed.run(retryAt, strikes, firstStrikeAt, error, isUnread, isUnread, isUnread, seq);
    if (!failure.isUnread) return;
    if (this.returnSequence.run(seq).changes > 0) this.unnumber.run(seq);
    else this.unnumberShared.run(seq);
  }

  /** Inside a write: nothing waits for a retry longer than until then (Unix ms). */
  retryBy(at: number): void {
    this.retryAllBy.run(at, at);
  }

  /**
   * The messages that were answered within the last `ms`, 500 at most, the newest, and how many posts of these had failed before;
   * of each, `mostFailures` count at most. Where the clock was set meanwhile, they may be fewer.
   */
  answeredWithin(ms: number, mostFailures: number): Others {
    const now = this.clock.now();
    return this.selectOthers.get(mostFailures, now - ms, now) as Others;
  }

  /** False where nothing changed: it was taken back meanwhile, and was not answered. */
  settle(seq: number, state: IncomingEnd, error: string | null = null): boolean {
    const isSettled = this.end.run(state, error, this.clock.now(), seq, state).changes > 0;
    if (isSettled && state === 'parked') for (const listener of this.deadLetterListeners) listener();
    return isSettled;
  }

  /** Calls `listener` for each message that is set aside, inside the write that does it. */
  onDeadLetter(listener: () => void): void {
    this.deadLetterListeners.push(listener);
  }

  /** The lowest number of an open message of a conversation; null if none has one. */
  oldestNumbered(conversation: string): number | null {
    return this.selectOldestNumbered.get(conversation) as number | null;
  }

  /** Inside a write: keeps the reply (JSON) to an answered message until it may be sent; null: it was sent. */
  holdReply(seq: number, reply: string | null): void {
    this.hold.run(reply, seq);
  }

  /** The replies of a conversation that have not gone out yet, in the order of their messages. */
  heldReplies(conversation: string): HeldReplyRecord[] {
    const rows = this.selectHeld.all(conversation) as (Omit<HeldReplyRecord, 'message'> & {
      message: string;
    })[];
    return rows.map((row) => ({ ...row, message: storedMessage(row.message) }));
  }

  /** Conversations with replies that have not gone out yet. */
  heldConversations(): string[] {
    return this.selectHeldConversations.all() as string[];
  }

  /** How many the backend has not answered yet, without those that are set aside. */
  countOpen(): number {
    return this.selectOpenCount.get() as number;
  }

  /** How many were past their age before they were answered, in the last 7 days, and when the newest was given up (Unix ms). */
  expired(): { count: number; newestAt: number | null } {
    return this.selectExpired.get() as { count: number; newestAt: number | null };
  }
}

/** Why a message is set aside of which the store has nothing that can be read. */
const DAMAGED = 'its record in the store is damaged';

const TEXTS = ['guid', 'conversation', 'threadId', 'chatGuid', 'sender', 'text'] as const;

/** Whether a stored message has all that any of us relies on. */
export function isWholeMessage(stored: Readonly<Record<string, unknown>>): boolean {
  return (
    TEXTS.every((name) => typeof stored[name] === 'string') &&
    typeof stored.sentAt === 'number' &&
    Array.isArray(stored.participants) &&
    Array.isArray(stored.attachments)
  );
}

/** What was stored of a message; null where it is damaged. */
function storedMessage(json: string): IncomingMessage | null {
  return readStored<IncomingMessage>(json, isWholeMessage) ?? null;
}
