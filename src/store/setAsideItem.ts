/**
 * The kind of an item: a row of chat.db, a message to be posted, a command, a change of a message, a scheduled text, a
 * text, a group.
 */
export type ItemKind = 'row' | 'message' | 'command' | 'change' | 'scheduled' | 'text' | 'group';

/** An item that was set aside, since when (Unix ms) and why. */
export interface SetAsideItem {
  /** A `stored row` is one of the store itself, see sqlite.ts. */
  readonly kind: ItemKind | 'stored row';
  readonly key: string;
  readonly at: number;
  readonly error: string;
}
