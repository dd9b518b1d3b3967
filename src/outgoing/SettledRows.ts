import type { RowPlace, SentRow } from '../model/sending.js';

/** So many characters of rows are remembered at most. */
const MOST_REMEMBERED = 2_000_000;

/** Rows that have settled, so that each is read once and not for each text. */
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

  /** The row, unless Messages has written to it since. */
  get({ guid, rowId, sentAt, error }: RowPlace): SentRow | undefined {
    const row = this.rows.get(guid);
    return row?.rowId === rowId && row.sentAt === sentAt && row.error === error ? row : undefined;
  }

  /** Of a row that may yet settle, or beyond what is remembered, it keeps nothing. */
  add(row: SentRow): void {
    const { guid } = row;
    const characters = this.characters + sizeOf(row) - sizeOf(this.rows.get(guid));
    if (row.isUndecided === true || row.conversation === null || characters > MOST_REMEMBERED) return;
    this.characters = characters;
    this.rows.set(guid, row);
  }
}

function sizeOf(row: SentRow | undefined): number {
  return row === undefined ? 0 : row.guid.length + row.text.length;
}
