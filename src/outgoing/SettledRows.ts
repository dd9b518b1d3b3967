import type { SentRow } from '../model/sending.js';

/** So many characters of rows are remembered at most. */
const MOST_REMEMBERED = 2_000_000;

/** Rows that change no more, so that each is read once and not for each text. */
export class SettledRows {
  private readonly rows = new Map<string, SentRow>();
  private order = '';
  private characters = 0;

  /** Forgets all once the order of ROWIDs is another. */
  keepWhile(order: string): void {
    if (order === this.order) return;
    this.order = order;
    this.forget();
  }

  forget(): void {
    this.rows.clear();
    this.characters = 0;
  }

  get(guid: string): SentRow | undefined {
    return this.rows.get(guid);
  }

  /** Of a row that may yet settle, or beyond what is remembered, it keeps nothing. */
  add(row: SentRow): void {
    const { guid, text } = row;
    const characters = this.characters + guid.length + text.length;
    if (row.isUndecided === true || row.conversation === null || characters > MOST_REMEMBERED) return;
    this.characters = characters;
    this.rows.set(guid, row);
  }
}
