import { describeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import type { Store } from '../store/Store.js';
import type { ChatDb } from './chatdb/ChatDb.js';
import type { GroupNames, GroupTie } from './chatdb/groupTies.js';
import { conversationKey } from './conversationId.js';

/** Grows when `conversationKey` reads an address otherwise than before: then what is stored moves to the new keys. */
const KEY_RULES = 2;
const KEYS_READ_BY = 'conversation_keys';

/** What a look for ties found: none that is not stored, such as are stored now, or such as could not be stored. */
export type TiesRead = 'known' | 'joined' | 'unstored';

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
   * Once for each version of the rules and each region: moves what is stored under keys that are read otherwise now, so
   * that nobody's pause, context, schedule or queued text stays behind under an old key. Before anything reads the store.
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
  readTies(chatDb: ChatDb): TiesRead {
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
