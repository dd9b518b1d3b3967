import { type AppleDatabase, appleGuid } from './AppleDatabase.js';

export type ChatService = 'iMessage' | 'SMS' | 'RCS' | (string & {});

/** A chat in the simulated chat.db. */
export interface SimulatedChat {
  readonly rowId: number;
  readonly guid: string;
  readonly identifier: string;
  readonly style: 'direct' | 'group';
  readonly service: ChatService;
  readonly participants: readonly string[];
}

/** `guid` and `identifier` are made as the version of macOS makes them, unless given. */
export interface NewChat {
  style: 'direct' | 'group';
  participants: readonly string[];
  identifier?: string;
  guid?: string;
  service?: ChatService;
  name?: string;
  accountId?: string;
  /** `is_filtered`: 1 and 2 are unknown senders and junk. */
  filtered?: number;
  /** Ids that Messages keeps for a group through a change of its identifier; a new one unless given. */
  groupId?: string;
  originalGroupId?: string;
}

export const ACCOUNT_ID = '0B7F0E8D-8C3E-4F4C-9F0B-3A5D6C1E2F00';

/** The chats of a simulated chat.db. */
export class SimulatedChats {
  private readonly byGuid = new Map<string, SimulatedChat>();

  constructor(private readonly database: AppleDatabase) {}

  /** Makes a chat with its participants, in one commit. */
  add(chat: NewChat): SimulatedChat {
    const { database } = this;
    const service = chat.service ?? 'iMessage';
    const group = chat.style === 'group';
    const identifier = chat.identifier ?? (group ? groupIdentifier() : (chat.participants[0] ?? ''));
    const guid =
      chat.guid ?? `${database.version >= 26 ? 'any' : service};${group ? '+' : '-'};${identifier}`;
    return database.transaction(() => {
      const rowId = database.insert('chat', {
        guid,
        style: group ? 43 : 45,
        state: 3,
        account_id: chat.accountId ?? ACCOUNT_ID,
        chat_identifier: identifier,
        service_name: service,
        room_name: group ? identifier : null,
        account_login: 'E:operator@example.com',
        display_name: chat.name ?? null,
        group_id: chat.groupId ?? appleGuid(),
        original_group_id: chat.originalGroupId ?? null,
        is_filtered: chat.filtered ?? 0,
      });
      for (const address of chat.participants) {
        const handle = database.handle(address, service);
        database.insert('chat_handle_join', { chat_id: rowId, handle_id: handle });
      }
      const { style, participants } = chat;
      return this.remember({ rowId, guid, identifier, style, service, participants });
    });
  }

  /** The direct chat with this address on this service, made if there is none. */
  direct(address: string, service: ChatService = 'iMessage'): SimulatedChat {
    return this.database.transaction(() => {
      const guid = this.database.get<string>(
        'SELECT guid FROM chat WHERE chat_identifier = ? AND service_name = ? AND style = 45',
        address,
        service,
      );
      return guid === undefined
        ? this.add({ style: 'direct', participants: [address], service })
        : this.withGuid(guid);
    });
  }

  /**
   * A group moves to another service, or iCloud recreates it: another row of `chat` with another identifier. From macOS
   * 15 on `chat_lookup` has one identifier for both.
   */
  regroup(chat: SimulatedChat, as: Partial<Omit<NewChat, 'style'>> = {}): SimulatedChat {
    return this.database.transaction(() => {
      const { participants } = chat;
      const next = this.add({ service: 'RCS', participants, ...as, style: 'group' });
      if (this.database.version >= 15) this.lookUp(chat.identifier, [chat, next]);
      return next;
    });
  }

  /** `chat_lookup` (macOS 15 on) finds all of these chats under one identifier, each in the domain of its service. */
  lookUp(identifier: string, chats: readonly Pick<SimulatedChat, 'rowId'>[]): void {
    chats.forEach((chat, index) => {
      this.database.insert('chat_lookup', { identifier, domain: `domain-${index}`, chat: chat.rowId });
    });
  }

  /** The chat of this guid. Throws if there is none: a stand-in must not make one up either. */
  withGuid(guid: string): SimulatedChat {
    const { database } = this;
    const known = this.byGuid.get(guid);
    if (known !== undefined) return known;
    const rowId = database.get<number>('SELECT ROWID FROM chat WHERE guid = ?', guid);
    if (rowId === undefined) throw new Error(`There is no chat ${guid}`);
    const column = (name: string) =>
      database.get<string | number>(`SELECT ${name} FROM chat WHERE ROWID = ?`, rowId);
    const people = database.get<string>(
      `SELECT json_group_array(h.id) FROM chat_handle_join j JOIN handle h ON h.ROWID = j.handle_id
       WHERE j.chat_id = ?`,
      rowId,
    );
    return this.remember({
      rowId,
      guid,
      identifier: String(column('chat_identifier')),
      style: column('style') === 43 ? 'group' : 'direct',
      service: String(column('service_name')),
      participants: JSON.parse(people ?? '[]') as string[],
    });
  }

  private remember(chat: SimulatedChat): SimulatedChat {
    this.byGuid.set(chat.guid, chat);
    return chat;
  }
}

function groupIdentifier(): string {
  const digits = Array.from({ length: 18 }, () => Math.floor(Math.random() * 10)).join('');
  return `chat${digits}`;
}
