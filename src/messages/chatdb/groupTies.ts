import type { Statement } from 'better-sqlite3';
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

/** Every identifier is a group of its own. */
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

/** Nobody's group was made anew more often. More than this is a damaged table, and merging its groups would mix people up. */
const MOST_NAMES = 8;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Which groups of chat.db are one although their identifiers differ. A group that goes over to another service, or is made
 * anew by iCloud, gets another row of `chat`. Two rows are one group if `chat_lookup` (macOS 15 on) has the same identifier
 * for both, as Messages itself looks chats up (imessage-exporter #628), or if they share `group_id` or `original_group_id`
 * and have the same people. Only rows of groups are tied, never a person's. All throw SqliteError.
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
      // A group that is named like a person has a key of its own form; it is left alone.
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
