import type { Clock } from '../system/clock.js';
import type { Database, Statement } from './sqlite.js';

/**
 * Other names of conversations: identifiers of a group whose identifier changed, each with the key by which the group was
 * known first. Durable; asked for every row and command, so it is mirrored in memory. No alias is itself a key.
 */
export class AliasTable {
  private readonly keys = new Map<string, string>();
  private readonly names = new Map<string, readonly string[]>();
  private readonly select: Statement;
  private readonly upsert: Statement;

  constructor(
    database: Database,
    private readonly clock: Clock,
    hooks: { onRollback(hook: () => void): void },
  ) {
    this.select = database.prepare(
      "SELECT alias, conversation FROM conversation_aliases WHERE alias > '' ORDER BY alias",
    );
    this.upsert = database.prepare(
      'INSERT OR REPLACE INTO conversation_aliases (alias, conversation, noted_at) VALUES (?, ?, ?)',
    );
    this.reload();
    hooks.onRollback(() => this.reload());
  }

  /** The key of the conversation that has this name; the name itself where nothing else is known. */
  resolve(name: string): string {
    return this.keys.get(name) ?? name;
  }

  /** Every name of a conversation, its key first. */
  namesOf(key: string): readonly string[] {
    return [key, ...(this.names.get(key) ?? [])];
  }

  /** Inside a write: `alias` names the conversation of this key from now on. */
  add(alias: string, key: string): void {
    this.upsert.run(alias, key, this.clock.now());
    this.reload();
  }

  /** Reads the table again: after each change, which is rare. */
  reload(): void {
    this.keys.clear();
    this.names.clear();
    for (const row of this.select.all() as { alias: string; conversation: string }[]) {
      this.keys.set(row.alias, row.conversation);
      this.names.set(row.conversation, [...(this.names.get(row.conversation) ?? []), row.alias]);
    }
  }
}
