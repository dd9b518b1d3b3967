/** How far chat.db was read, and how many rows are behind that; null: nobody can tell. */
interface Position {
  readonly rowId: number | null;
  readonly rowsBehind: number | null;
}

/** Whether reading chat.db gets on. To be told of every look; times are Unix ms. */
export class ReadingProgress {
  private rowId: number | null = null;
  private readAt: number | null = null;
  private stuckSince: number | null = null;

  note(isReadable: boolean, { rowId, rowsBehind }: Position, now: number): void {
    if (isReadable) this.readAt = now;
    const isBehind = isReadable && rowsBehind !== null && rowsBehind > 0;
    if (!isBehind) this.stuckSince = null;
    else if (rowId !== this.rowId) this.stuckSince = now;
    else this.stuckSince ??= now;
    this.rowId = rowId;
  }

  /** When it was last read, and since when there are rows that are not got on with. */
  view(): { readonly readAt: number | null; readonly stuckSince: number | null } {
    return { readAt: this.readAt, stuckSince: this.stuckSince };
  }
}
