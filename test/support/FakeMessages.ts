import type {
  AttemptResult,
  MessageSender,
  RowState,
  RowsWithin,
  SendAttempt,
  SendTarget,
  SentFile,
  SentRow,
  SentRows,
} from '../../src/model/sending.js';

interface Started extends SendAttempt {
  end(result: AttemptResult): void;
}

function isWithin({ rowId, sentAt }: SentRow, within: RowsWithin | undefined): boolean {
  return within === undefined || rowId <= within.untilRow || (sentAt !== null && sentAt <= within.until);
}

/**
 * Messages.app at its port, for tests of the order of texts: an attempt ends when the test says so, with a row in
 * "chat.db" or without. Real processes and a real chat.db have tests of their own.
 */
export class FakeMessages implements MessageSender, SentRows {
  readonly started: Started[] = [];
  readonly rows: SentRow[] = [];
  readonly dispatchedBeforeDeath = new Set<string>();
  readable = true;
  forms: SendTarget[] = [{ form: 'chat', address: 'iMessage;-;+13105551234', accountId: null }];

  /** As of a group whose guid only chat.db has. */
  needsChatDb = false;

  targets(): readonly SendTarget[] | undefined {
    return this.needsChatDb && !this.readable ? undefined : this.forms;
  }

  hold: () => Promise<unknown> | undefined = () => undefined;

  start(attempt: SendAttempt): Promise<AttemptResult> {
    return new Promise((resolve) => this.started.push({ ...attempt, end: resolve }));
  }

  async settle(tag: string, _isSameBoot?: boolean): Promise<{ dispatched: boolean }> {
    return { dispatched: this.dispatchedBeforeDeath.has(tag) };
  }

  forget(): void {
    // Nothing was left behind.
  }

  /** The identity of chat.db's file, and when its ROWIDs were last reassigned. */
  generation = 'g';
  movedAt: number | null = null;

  position() {
    const rowId = Math.max(0, ...this.rows.map((row) => row.rowId));
    if (this.readable) return { generation: this.generation, rowId, movedAt: this.movedAt };
    this.missed += 1;
    return undefined;
  }

  /** So many reads by date find chat.db busy, and none beside them. */
  refusals = 0;
  private missed = 0;

  since(sentAt: number, within?: RowsWithin): readonly SentRow[] {
    if (this.refusals > 0) {
      this.refusals -= 1;
      this.missed += 1;
      return [];
    }
    return this.rows.filter((row) => row.sentAt !== null && row.sentAt >= sentAt && isWithin(row, within));
  }

  after(rowId: number, within?: RowsWithin): readonly SentRow[] {
    return this.rows.filter((row) => row.rowId > rowId && isWithin(row, within));
  }

  datedAt(times: readonly number[]): readonly SentRow[] {
    return this.rows.filter(({ sentAt }) => sentAt !== null && times.includes(sentAt));
  }

  whole<T>(reads: () => T): T | undefined {
    const before = this.missed;
    const found = reads();
    return this.missed === before ? found : undefined;
  }

  normalise(text: string): string {
    return text.trim();
  }

  /** The texts that were handed over, in order. */
  get texts(): string[] {
    return this.started.map(({ text }) => text);
  }

  /** Ends the attempt on its way: Messages took the text, and its row is in chat.db. */
  async succeed(conversation = '+13105551234', error = 0): Promise<void> {
    const attempt = this.started.at(-1);
    if (attempt === undefined) throw new Error('nothing was started');
    this.addRow(conversation, attempt.text, error);
    await this.end({ kind: 'accepted' });
  }

  addRow(conversation: string, text: string, error = 0): void {
    const rowId = (this.rows.at(-1)?.rowId ?? 0) + 1;
    this.rows.push({
      rowId,
      guid: `row-${rowId}`,
      sentAt: null,
      conversation,
      text,
      service: 'iMessage',
      error,
      isSent: error === 0,
      isDelivered: false,
      isRead: false,
      wasDowngraded: false,
      ghostOf: null,
    });
  }

  /** An empty row that belongs to no chat, as macOS 26 leaves it. */
  addGhost(ghostOf: string): void {
    this.addRow('', '');
    Object.assign(this.rows.at(-1) ?? {}, { conversation: null, ghostOf });
  }

  /** The files of the rows, by ROWID. */
  readonly files = new Map<number, SentFile[]>();

  filesOf(rowId: number): readonly SentFile[] {
    return this.files.get(rowId) ?? [];
  }

  /** ROWIDs of messages that came in, by guid. */
  readonly received = new Map<string, number>();

  rowIdOf(guid: string): number | undefined {
    return this.received.get(guid) ?? this.find(guid)?.rowId;
  }

  find(guid: string): SentRow | undefined {
    return this.rows.find((row) => row.guid === guid);
  }

  named(guids: readonly string[]): readonly SentRow[] {
    return this.rows.filter(({ guid }) => guids.includes(guid));
  }

  placesOf(guids: readonly string[]): readonly SentRow[] {
    return this.named(guids);
  }

  /** How many rows' marks were asked for. */
  statesAsked = 0;

  statesOf(guids: readonly string[]): ReadonlyMap<string, RowState> | undefined {
    if (!this.readable) return undefined;
    this.statesAsked += guids.length;
    return new Map(this.rows.filter(({ guid }) => guids.includes(guid)).map((row) => [row.guid, row]));
  }

  /** Ends the attempt on its way, and lets what follows happen. */
  async end(result: AttemptResult): Promise<void> {
    this.started.at(-1)?.end(result);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
