import type { Statement } from 'better-sqlite3';
import { describeError } from '../../errors.js';
import type { Logger } from '../../logging/Logger.js';
import type { Store } from '../../store/Store.js';
import { canonicalAddress, conversationKey } from '../conversationId.js';
import type { OpenChatDb } from './ChatDbConnection.js';
import { GROUP_STYLE, hasTable } from './schema.js';

/** How the groups of chat.db are named to everybody else. */
export interface GroupNames {
  /** The name by which the group was known first; any other name as it is. */
  nameOf(identifier: string): string;
  /** Every identifier of the group that is known by this name, the name itself first. */
  identifiersOf(name: string): readonly string[];
}

/** Every identifier is a separate group. */
export const OWN_NAMES: GroupNames = { nameOf: (name) => name, identifiersOf: (name) => [name] };

/** Identifiers that are one group, the one whose chat is the oldest first. */
export type GroupTie = readonly string[];

interface GroupChat {
  rowId: number;
  identifier: string;
  /** Ids of the group that Messages keeps through a change of its identifier. */
  groupIds: readonly string[];
}

type Prepared<T> = Statement<unknown[], T>;

/** No group is recreated more often. More than this means a damaged table, and merging its groups would mix up people. */
const MOST_NAMES = 8;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Which groups of chat.db are the same although their identifiers differ. A group that moves to another service, or is
 * recreated by iCloud, gets another row of `chat`. Two rows are one group if `chat_lookup` (macOS 15 on) has the same
 * identifier for both, as Messages itself looks chats up (imessage-exporter #628), or if they share `group_id` or
 * `original_group_id` and have the same people. Only rows of groups are linked, never a person's. All throw
 * SqliteError.
 */
export class GroupTies {
  private readonly stamp: Prepared<string>;
  private readonly groups: Prepared<{
    rowId: number;
    identifier: string;
    groupId: string | null;
    original: string | null;
  }>;
  private readonly people: Prepared<string>;
  private readonly lookups: Prepared<{ name: string; rowId: number }> | undefined;

  constructor({ database, schema }: OpenChatDb) {
    const columns = hasTable(database, 'chat_lookup') ? columnsOf(database) : [];
    const hasLookup = ['identifier', 'chat'].every((column) => columns.includes(column));
    const chat = (column: string) => schema.text('chat', 'c', column);
    this.stamp = database
      .prepare<unknown[], string>(
        `SELECT (SELECT count(*) || ':' || coalesce(max(ROWID), 0) FROM chat) || ' ' ||
           ${hasLookup ? "(SELECT count(*) || ':' || coalesce(max(rowid), 0) || ':' || total(chat) FROM chat_lookup)" : "''"}`,
      )
      .pluck();
    this.groups = database.prepare(
      `SELECT c.ROWID AS rowId, ${chat('chat_identifier')} AS identifier, ${chat('group_id')} AS groupId,
         ${chat('original_group_id')} AS original
       FROM chat c WHERE ${schema.column('chat', 'c', 'style')} = ${GROUP_STYLE} AND identifier <> '' ORDER BY c.ROWID`,
    );
    this.people = database
      .prepare<unknown[], string>(
        'SELECT CAST(h.id AS TEXT) FROM chat_handle_join j JOIN handle h ON h.ROWID = j.handle_id WHERE j.chat_id = ?',
      )
      .pluck();
    this.lookups = hasLookup
      ? database.prepare(
          `SELECT l.identifier AS name, l.chat AS rowId FROM chat_lookup l
           WHERE typeof(l.identifier) = 'text' AND l.identifier <> '' AND typeof(l.chat) = 'integer' ORDER BY l.rowid`,
        )
      : undefined;
  }

  /** Changes when chats or ties are added or removed. Costs a pass over two small tables. */
  state(): string {
    return this.stamp.get() ?? '';
  }

  /** The groups that have several identifiers. `tooMany`: ties that were not believed, for they tie too many. */
  read(region: string): { ties: GroupTie[]; tooMany: number } {
    const chats = new Map<number, GroupChat>();
    for (const { rowId, identifier, groupId, original } of this.groups.all()) {
      // A group that is named like a person has a key of a different form; it is left unchanged.
      if (conversationKey(`any;+;${identifier}`, region) !== identifier) continue;
      const groupIds = [groupId, original].filter((id) => id !== null && UUID.test(id)) as string[];
      chats.set(rowId, { rowId, identifier, groupIds: groupIds.map((id) => id.toUpperCase()) });
    }
    const sets = new Unions();
    for (const { identifier } of chats.values()) sets.add(identifier);
    this.tieByLookup(chats, sets);
    this.tieByGroupId(chats, sets, region);
    const several = sets.all().filter(({ length }) => length > 1);
    const ties = several.filter(({ length }) => length <= MOST_NAMES);
    return { ties, tooMany: several.length - ties.length };
  }

  private tieByLookup(chats: ReadonlyMap<number, GroupChat>, sets: Unions): void {
    const first = new Map<string, string>();
    for (const { name, rowId } of this.lookups?.all() ?? []) {
      const chat = chats.get(rowId);
      if (chat === undefined) continue;
      const other = first.get(name);
      if (other === undefined) first.set(name, chat.identifier);
      else sets.join(other, chat.identifier);
    }
  }

  private tieByGroupId(chats: ReadonlyMap<number, GroupChat>, sets: Unions, region: string): void {
    const sharing = new Map<string, GroupChat[]>();
    for (const chat of chats.values())
      for (const id of new Set(chat.groupIds)) sharing.set(id, [...(sharing.get(id) ?? []), chat]);
    for (const candidates of sharing.values()) {
      if (new Set(candidates.map(({ identifier }) => identifier)).size < 2) continue;
      const byPeople = new Map<string, string>();
      for (const { rowId, identifier } of candidates) {
        const people = this.people.all(rowId).map((handle) => canonicalAddress(handle, region));
        if (people.length === 0) continue;
        const key = JSON.stringify([...new Set(people)].sort());
        const other = byPeople.get(key);
        if (other === undefined) byPeople.set(key, identifier);
        else sets.join(other, identifier);
      }
    }
  }
}

function columnsOf(database: OpenChatDb['database']): string[] {
  return database
    .prepare<unknown[], string>("SELECT name FROM pragma_table_info('chat_lookup')")
    .pluck()
    .all();
}

/** Sets of names that grow together; each lists its names in the order in which they were added. */
class Unions {
  private readonly sets = new Map<string, Set<string>>();
  private readonly order: string[] = [];

  add(name: string): void {
    if (this.sets.has(name)) return;
    this.sets.set(name, new Set([name]));
    this.order.push(name);
  }

  join(one: string, other: string): void {
    const [kept, gone] = [this.sets.get(one), this.sets.get(other)];
    if (kept === undefined || gone === undefined || kept === gone) return;
    for (const name of gone) {
      kept.add(name);
      this.sets.set(name, kept);
    }
  }

  all(): string[][] {
    const byAge = new Map(this.order.map((name, index) => [name, index]));
    const age = (name: string) => byAge.get(name) ?? 0;
    return [...new Set(this.sets.values())].map((set) => [...set].sort((a, b) => age(a) - age(b)));
  }
}

/** Grows when `conversationKey` reads an address otherwise than before: then what is stored moves to the new keys. */
const KEY_RULES = 2;
const KEYS_READ_BY = 'conversation_keys';

/** What a look for ties found: none that is not stored, such as are stored now, or such as could not be stored. */
type TiesRead = 'known' | 'joined' | 'unstored';

/** The source of new links: chat.db. */
interface TieSource {
  newGroupTies(): { ties: GroupTie[]; tooMany: number } | undefined;
  /** The result was not stored: it is returned again. */
  forgetGroupTies(): void;
}

/** The names of conversations: as people and the backend write them, and as groups had them before. */
export class ConversationNames implements GroupNames {
  constructor(
    private readonly store: Store,
    private readonly region: string,
    private readonly log: Logger,
    /** The key of a text in a conversation, by which duplicates are found: it moves with its conversation. */
    private readonly wordsKey: (conversation: string, text: string) => string,
  ) {}

  /** The canonical key of a conversation, whatever form of its name it is. */
  readonly keyOf = (threadId: string): string =>
    this.store.aliases.resolve(conversationKey(threadId, this.region));

  nameOf(identifier: string): string {
    return this.store.aliases.resolve(identifier);
  }

  identifiersOf(name: string): readonly string[] {
    return this.store.aliases.namesOf(name);
  }

  /**
   * Once for each version of the rules and each region: moves data stored under keys that are now read differently, so
   * that no pause, context, schedule or queued text remains under an old key. Runs before anything reads the store.
   */
  moveOldKeys(): void {
    const { store, region } = this;
    const rules = `${KEY_RULES} ${region}`;
    if (store.meta.get(KEYS_READ_BY) === rules) return;
    store.tryWrite(() => {
      const moves = new Map<string, string>();
      for (const key of store.conversationKeys.all()) {
        const now = key === '*' ? key : this.keyOf(key);
        if (now !== key) moves.set(key, now);
      }
      store.rekey(moves, this.wordsKey);
      store.meta.set(KEYS_READ_BY, rules);
      if (moves.size > 0)
        store.afterCommit(() =>
          this.log.info('Conversation keys were migrated to this version', {
            conversations: moves.size,
          }),
        );
    });
  }

  /**
   * Notes which groups of chat.db are one, if that has changed. Costs next to nothing otherwise. `unstored`: the disk did not take it, so
   * rows read now may get a key that their group has no more.
   */
  readTies(chatDb: TieSource): TiesRead {
    const read = chatDb.newGroupTies();
    if (read === undefined) return 'known';
    if (read.tooMany > 0)
      this.log.warn('chat.db links more identifiers to one group than is plausible; they stay separate', {
        groups: read.tooMany,
      });
    const news = read.ties.filter((tie) => !this.isKnown(tie));
    if (news.length === 0) return 'known';
    const stored = this.store.tryEach(
      news,
      (tie) => this.tie(tie),
      (tie, fault) => {
        const cause = describeError(fault);
        this.log.error('The identifiers of a group could not be joined; they stay separate', { cause });
        this.store.setAside.note('group', tie.join(' '), cause);
      },
    );
    if (stored) return 'joined';
    chatDb.forgetGroupTies();
    return 'unstored';
  }

  private isKnown(tie: GroupTie): boolean {
    return new Set(tie.map((name) => this.nameOf(name))).size === 1;
  }

  /**
   * Inside a write: these identifiers are one group. Its key stays the one by which it was known first: to the store, else
   * the one of its oldest chat. A key that other names lead to already is as well known as what is stored under it.
   */
  private tie(tie: GroupTie): void {
    const { store, log } = this;
    const keys = [...new Set(tie.map((name) => this.nameOf(name)))];
    const earlier = keys.filter((key) => store.aliases.namesOf(key).length > 1);
    const kept = store.conversationKeys.firstKnown(keys) ?? earlier[0] ?? keys[0];
    if (kept === undefined) return;
    const moves = new Map(keys.filter((key) => key !== kept).map((key) => [key, kept]));
    for (const key of moves.keys()) store.aliases.add(key, kept);
    store.rekey(moves, this.wordsKey);
    store.afterCommit(() =>
      log.info('A group has a new identifier; it stays one conversation', { identifiers: tie.length }),
    );
  }
}
