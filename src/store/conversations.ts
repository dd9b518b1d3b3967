import type { IncomingMessage } from '../model/incoming.js';
import type { Clock } from '../system/clock.js';
import { isWholeMessage } from './incoming.js';
import { type CommitHooks, CommitSignal } from './outbox.js';
import { type Database, readStored, type Statement, type StoredRows } from './sqlite.js';
import type { UploadMessage } from './uploads.js';

/** Tables that have one row a conversation: what the row that stays takes over from the one that goes. */
const MERGED: Readonly<Record<string, string>> = {
  pauses: 'since = min(since, @since), incoming = max(incoming, @incoming)',
  contexts: `body = iif(@updated_at > updated_at, @body, body), updated_at = max(updated_at, @updated_at)`,
  target_forms: `form = iif(@learnt_at > learnt_at, @form, form), learnt_at = max(learnt_at, @learnt_at)`,
  exchanges: 'body = iif(@at > at, @body, body), at = max(at, @at)',
  new_recipients: 'written_at = max(written_at, @written_at)',
  message_sequences: 'newest = max(newest, @newest)',
};

/** When a conversation first appeared in each table. */
const FIRST_KNOWN = [
  'SELECT min(seen_at) FROM incoming WHERE conversation = ?',
  'SELECT min(created_at) FROM sends WHERE conversation = ?',
  'SELECT min(created_at) FROM schedule WHERE conversation = ?',
  'SELECT updated_at FROM contexts WHERE conversation = ?',
  'SELECT since FROM pauses WHERE conversation = ?',
];

/**
 * Moves what is stored of a conversation to another key: when a version reads an address otherwise, and when two names
 * turn out to be of one group. Everything that is kept under a `conversation` is found by that name of its column, so that
 * no table is forgotten. Rare, hence not prepared.
 */
export class ConversationKeys {
  constructor(private readonly database: Database) {}

  /** Every key under which anything is kept. */
  all(): string[] {
    const keys = this.tables().flatMap(
      (table) =>
        this.database.prepare(`SELECT DISTINCT conversation FROM ${table}`).pluck().all() as string[],
    );
    return [...new Set(keys)];
  }

  /** The one of these keys that was known first (Unix ms of its oldest row); undefined if nothing is kept of any. */
  firstKnown(keys: readonly string[]): string | undefined {
    let first: { key: string; at: number } | undefined;
    for (const key of keys) {
      const times = FIRST_KNOWN.flatMap(
        (sql) => (this.database.prepare(sql).pluck().get(key) as number | null | undefined) ?? [],
      );
      const at = Math.min(...times);
      if (times.length > 0 && (first === undefined || at < first.at)) first = { key, at };
    }
    return first?.key;
  }

  /** Inside a write: what is kept under `from` belongs to `to`. `twinKeyOf` is what pairs equal texts of a conversation. */
  move(from: string, to: string, twinKeyOf: (conversation: string, text: string) => string): void {
    if (from === to) return;
    this.rewriteMessages(from, to);
    this.rewriteTwinKeys(from, to, twinKeyOf);
    for (const table of this.tables()) {
      this.merge(table, from, to);
      this.database.prepare(`UPDATE ${table} SET conversation = ? WHERE conversation = ?`).run(to, from);
    }
  }

  private tables(): string[] {
    return this.database
      .prepare(
        `SELECT t.name FROM sqlite_master t JOIN pragma_table_info(t.name) c
         WHERE t.type = 'table' AND c.name = 'conversation' ORDER BY t.name`,
      )
      .pluck()
      .all() as string[];
  }

  /** Where there is one row a conversation and both have one. */
  private merge(table: string, from: string, to: string): void {
    const changes = MERGED[table];
    if (changes === undefined) return;
    const select = this.database.prepare(`SELECT * FROM ${table} WHERE conversation = ?`);
    const going = select.get(from);
    if (going === undefined || select.get(to) === undefined) return;
    this.database.prepare(`UPDATE ${table} SET ${changes} WHERE conversation = @to`).run({ ...going, to });
    this.database.prepare(`DELETE FROM ${table} WHERE conversation = ?`).run(from);
  }

  /** A message keeps the name under which it was posted, for every attempt says the same; its answer goes by the key. */
  private rewriteMessages(from: string, to: string): void {
    const { database } = this;
    const select = database.prepare(
      'SELECT seq, message, first_posted_at IS NOT NULL AS isPosted FROM incoming WHERE conversation = ?',
    );
    const update = database.prepare('UPDATE incoming SET message = ? WHERE seq = ?');
    const rows = select.all(from) as { seq: number; message: string; isPosted: number }[];
    for (const { seq, message, isPosted } of rows) {
      // A damaged one keeps what it has: it is set aside when its turn comes.
      const stored = readStored<IncomingMessage>(message, isWholeMessage);
      if (stored === undefined) continue;
      const named = (name: string) => (name === from ? to : name);
      const unposted = {
        threadId: named(stored.threadId),
        sender: named(stored.sender),
        participants: [...new Set(stored.participants.map(named))],
      };
      update.run(JSON.stringify({ ...stored, ...(isPosted === 1 ? {} : unposted), conversation: to }), seq);
    }
    const uploads = database.prepare(
      `SELECT seq, message FROM uploads WHERE CASE WHEN json_valid(message) THEN json_extract(message, '$.conversation') END = ?`,
    );
    const updateUpload = database.prepare('UPDATE uploads SET message = ? WHERE seq = ?');
    for (const { seq, message } of uploads.all(from) as { seq: number; message: string }[]) {
      const stored = readStored<UploadMessage>(message);
      if (stored !== undefined) updateUpload.run(JSON.stringify({ ...stored, conversation: to }), seq);
    }
  }

  private rewriteTwinKeys(
    from: string,
    to: string,
    twinKeyOf: (conversation: string, text: string) => string,
  ) {
    const select = this.database.prepare(
      'SELECT seq, text FROM sends WHERE conversation = ? AND twin_key IS NOT NULL',
    );
    const update = this.database.prepare('UPDATE sends SET twin_key = ? WHERE seq = ?');
    for (const { seq, text } of select.all(from) as { seq: number; text: string }[])
      update.run(twinKeyOf(to, text), seq);
  }
}

/** The key that each other name stands for, and the other names of each key. */
interface Aliases {
  keys: ReadonlyMap<string, string>;
  names: ReadonlyMap<string, readonly string[]>;
}

const NO_ALIASES: Aliases = { keys: new Map(), names: new Map() };

/**
 * Other names of conversations: identifiers of a group whose identifier changed, each with the key by which the group was
 * known first. Durable; asked for every row and command, so it is mirrored in memory. No alias is itself a key.
 */
export class AliasTable {
  private known = NO_ALIASES;
  /** As the last commit left them. A failed write returns to them without a read: rows of chat.db may be read before the disk can be. */
  private stored = NO_ALIASES;
  private readonly select: Statement;
  private readonly upsert: Statement;

  constructor(
    database: Database,
    private readonly clock: Clock,
    hooks: { onCommit(hook: () => void): void; onRollback(hook: () => void): void },
  ) {
    this.select = database.prepare(
      "SELECT alias, conversation FROM conversation_aliases WHERE alias > '' ORDER BY alias",
    );
    this.upsert = database.prepare(
      'INSERT OR REPLACE INTO conversation_aliases (alias, conversation, noted_at) VALUES (?, ?, ?)',
    );
    this.reload();
    const keep = () => {
      this.stored = this.known;
    };
    keep();
    hooks.onCommit(keep);
    hooks.onRollback(() => {
      this.known = this.stored;
    });
  }

  /** The key of the conversation that has this name; the name itself where nothing else is known. */
  resolve(name: string): string {
    return this.known.keys.get(name) ?? name;
  }

  /** Every name of a conversation, its key first. */
  namesOf(key: string): readonly string[] {
    return [key, ...(this.known.names.get(key) ?? [])];
  }

  /** Inside a write: `alias` names the conversation of this key from now on. */
  add(alias: string, key: string): void {
    this.upsert.run(alias, key, this.clock.now());
    this.reload();
  }

  /** Reads the table again: after each change, which is rare. */
  reload(): void {
    const keys = new Map<string, string>();
    const names = new Map<string, readonly string[]>();
    for (const row of this.select.all() as { alias: string; conversation: string }[]) {
      keys.set(row.alias, row.conversation);
      names.set(row.conversation, [...(names.get(row.conversation) ?? []), row.alias]);
    }
    this.known = { keys, names };
  }
}

/** What the backend wants to get back with a conversation's next messages. One per conversation; the last wins. */
export class ContextTable {
  private readonly select: Statement;
  private readonly upsert: Statement;
  private readonly remove: Statement;

  constructor(
    database: Database,
    private readonly clock: Clock,
    private readonly rows: StoredRows,
  ) {
    this.select = database.prepare('SELECT body FROM contexts WHERE conversation = ?').pluck();
    this.upsert = database.prepare(
      `INSERT INTO contexts (conversation, body, updated_at) VALUES (?, ?, ?)
       ON CONFLICT (conversation) DO UPDATE SET body = excluded.body, updated_at = excluded.updated_at`,
    );
    this.remove = database.prepare('DELETE FROM contexts WHERE conversation = ?');
  }

  get(conversation: string): Record<string, unknown> | undefined {
    const body = this.select.get(conversation) as string | undefined;
    return body === undefined ? undefined : this.rows.object('contexts', conversation, body);
  }

  set(conversation: string, body: Record<string, unknown>): void {
    this.upsert.run(conversation, JSON.stringify(body), this.clock.now());
  }

  /** True if there was one. */
  delete(conversation: string): boolean {
    return this.remove.run(conversation).changes > 0;
  }
}

/** manual: on request. operator: the operator answered there. loop: two machines answered each other. */
type PauseReason = 'manual' | 'operator' | 'loop';

/** A conversation in which nothing is sent; with `incoming`, incoming messages wait as well. `since` is Unix ms. */
export interface Pause {
  conversation: string;
  reason: PauseReason;
  since: number;
  incoming: boolean;
}

/** Means every conversation; never a canonical key. */
export const EVERY_CONVERSATION = '*';

/**
 * The conversations in which nothing is sent until they are resumed; durable. Checked before every text, so it is
 * mirrored in memory. The first reason stays until the pause ends.
 */
export class PauseTable {
  private readonly pauses = new Map<string, Pause>();
  private readonly changed: CommitSignal;
  private readonly liftedListeners: ((conversation: string) => void)[] = [];
  private readonly select: Statement;
  private readonly insert: Statement;
  private readonly remove: Statement;
  private readonly updateIncoming: Statement;

  constructor(
    database: Database,
    private readonly clock: Clock,
    hooks: CommitHooks & { onRollback(hook: () => void): void },
  ) {
    this.changed = new CommitSignal(hooks);
    this.select = database.prepare('SELECT conversation, reason, since, incoming FROM pauses ORDER BY since');
    this.insert = database.prepare('INSERT INTO pauses (conversation, reason, since) VALUES (?, ?, ?)');
    this.remove = database.prepare('DELETE FROM pauses WHERE conversation = ?');
    this.updateIncoming = database.prepare('UPDATE pauses SET incoming = ? WHERE conversation = ?');
    this.reload();
    hooks.onRollback(() => this.reload());
  }

  /** Whether nothing may go out in this conversation, for its own sake or because everything is paused. */
  covers(conversation: string): boolean {
    return this.pauses.size > 0 && (this.pauses.has(EVERY_CONVERSATION) || this.pauses.has(conversation));
  }

  get(conversation: string): Pause | undefined {
    return this.pauses.get(conversation);
  }

  /** Inside a write. False if it is paused already; then nothing changes. */
  set(conversation: string, reason: PauseReason): boolean {
    if (this.pauses.has(conversation)) return false;
    const pause = { conversation, reason, since: this.clock.now(), incoming: false };
    this.insert.run(conversation, reason, pause.since);
    this.pauses.set(conversation, pause);
    this.changed.raise();
    return true;
  }

  /** Whether what comes in there waits, for its own sake or because everything does. */
  holdsIncoming(conversation: string): boolean {
    if (this.pauses.size === 0) return false;
    return [EVERY_CONVERSATION, conversation].some((key) => this.pauses.get(key)?.incoming === true);
  }

  /** Inside a write: what comes in waits there, or no longer. False if nothing changes, or there is no such pause. */
  setIncoming(conversation: string, incoming: boolean): boolean {
    const pause = this.pauses.get(conversation);
    if (pause === undefined || pause.incoming === incoming) return false;
    this.updateIncoming.run(incoming ? 1 : 0, conversation);
    this.pauses.set(conversation, { ...pause, incoming });
    this.changed.raise();
    return true;
  }

  /** Inside a write. True if there was one. */
  delete(conversation: string): boolean {
    this.remove.run(conversation);
    const existed = this.pauses.delete(conversation);
    if (existed) {
      this.changed.raise();
      for (const listener of this.liftedListeners) listener(conversation);
    }
    return existed;
  }

  /** Calls `listener` for each pause that is lifted, inside the write that lifts it. */
  onLifted(listener: (conversation: string) => void): void {
    this.liftedListeners.push(listener);
  }

  /** All of them, the oldest first. */
  list(): Pause[] {
    return [...this.pauses.values()];
  }

  /** Calls `listener` after each commit that changed something; returns the way to stop it. */
  afterChange(listener: () => void): () => void {
    return this.changed.subscribe(listener);
  }

  /** Reads the table again, after something else changed it. */
  reload(): void {
    const rows = this.select.all() as (Omit<Pause, 'incoming'> & { incoming: number })[];
    this.pauses.clear();
    for (const row of rows) {
      this.pauses.set(row.conversation, { ...row, incoming: row.incoming === 1 });
    }
  }
}

/** What the loop breaker remembers of a conversation. `at` (Unix ms): when it was saved, to which the times in `body` relate. */
interface SavedExchanges {
  body: string;
  at: number;
}

/** The exchanges of the conversations that are being counted, so that a restart does not begin to count from zero. */
export class ExchangeTable {
  private readonly select: Statement;
  private readonly upsert: Statement;
  private readonly remove: Statement;

  constructor(database: Database) {
    this.select = database.prepare('SELECT body, at FROM exchanges WHERE conversation = ?');
    this.upsert = database.prepare(
      `INSERT INTO exchanges (conversation, body, at) VALUES (?, ?, ?)
       ON CONFLICT (conversation) DO UPDATE SET body = excluded.body, at = excluded.at`,
    );
    this.remove = database.prepare('DELETE FROM exchanges WHERE conversation = ?');
  }

  get(conversation: string): SavedExchanges | undefined {
    return this.select.get(conversation) as SavedExchanges | undefined;
  }

  /** Inside a write. */
  set(conversation: string, { body, at }: SavedExchanges): void {
    this.upsert.run(conversation, body, at);
  }

  /** Inside a write. */
  delete(conversation: string): void {
    this.remove.run(conversation);
  }
}

interface NewRecipient {
  conversation: string;
  /** Unix ms. */
  writtenAt: number;
}

/** Whom we wrote to lately although chat.db knew no conversation with them. */
export class NewRecipientTable {
  private readonly select: Statement;
  private readonly insert: Statement;
  private readonly remove: Statement;

  constructor(database: Database) {
    this.select = database.prepare(
      'SELECT conversation, written_at AS writtenAt FROM new_recipients WHERE written_at > ? ORDER BY written_at',
    );
    this.insert = database.prepare(
      'INSERT OR REPLACE INTO new_recipients (conversation, written_at) VALUES (?, ?)',
    );
    this.remove = database.prepare('DELETE FROM new_recipients WHERE written_at <= ?');
  }

  /** Those written to after that time (Unix ms), the longest ago first. */
  since(at: number): NewRecipient[] {
    return this.select.all(at) as NewRecipient[];
  }

  /** Inside a write: notes one, and forgets those that were written to at `forgetUntil` (Unix ms) or before. */
  add({ conversation, writtenAt }: NewRecipient, forgetUntil: number): void {
    this.remove.run(forgetUntil);
    this.insert.run(conversation, writtenAt);
  }
}

/** The way of addressing a conversation that worked where a better one had failed; forgotten after some days. */
export class TargetFormTable {
  private readonly select: Statement;
  private readonly upsert: Statement;
  private readonly remove: Statement;

  constructor(
    database: Database,
    private readonly clock: Clock,
  ) {
    this.select = database.prepare('SELECT form FROM target_forms WHERE conversation = ?').pluck();
    this.upsert = database.prepare(
      `INSERT INTO target_forms (conversation, form, learnt_at) VALUES (?, ?, ?)
       ON CONFLICT (conversation) DO UPDATE SET form = excluded.form, learnt_at = excluded.learnt_at
       WHERE form <> excluded.form`,
    );
    this.remove = database.prepare('DELETE FROM target_forms WHERE conversation = ?');
  }

  get(conversation: string): string | undefined {
    return this.select.get(conversation) as string | undefined;
  }

  /** Inside a write. Learning the same again changes nothing. */
  set(conversation: string, form: string): void {
    this.upsert.run(conversation, form, this.clock.now());
  }

  /** Inside a write. */
  forget(conversation: string): void {
    this.remove.run(conversation);
  }
}
