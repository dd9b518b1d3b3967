import type { IncomingMessage } from '../../model/incoming.js';
import type { ReadingState } from '../../store/cursor.js';
import type { SharedWrite } from '../../store/SharedWrites.js';
import type { SeenRow } from '../../store/seenRows.js';
import type { SetAsideTable } from '../../store/setAside.js';
import type { ForwardRules } from './forwardRules.js';
import type { PendingRow } from './incomingBatch.js';
import type { RowEvent } from './judgeRow.js';
import type { ReadingPosition } from './readingPosition.js';

/** Where the reader keeps its place and where messages go: one `write` takes all of it, durably, or nothing. */
export interface ReaderStore {
  write<T>(work: () => T): T;
  /** A write that may be one commit with what else a look finds. */
  share(write: SharedWrite): void;
  /** What was shared up to now is stored. */
  commitShared(): void;
  /** False if a message with this guid is known already. */
  readonly incoming: {
    add(message: IncomingMessage): boolean;
    /** The guids of the messages added last, the newest first. */
    newestGuids(limit: number): readonly string[];
  };
  readonly cursor: {
    get(): ReadingPosition | undefined;
    set(position: ReadingPosition): void;
    pending(): PendingRow[];
    setPending(rows: readonly PendingRow[]): void;
    reading(): ReadingState | undefined;
    setReading(state: ReadingState): void;
    readonly seen: {
      add(row: SeenRow): void;
      has(guid: string): boolean;
      like(key: string, conversation: string): readonly SeenRow[];
      originalOf(guid: string): string;
    };
  };
  /** Rows that cannot be worked on (see setAside.ts). */
  readonly setAside?: Pick<SetAsideTable, 'attempt' | 'note'>;
}

/** What is done with rows that are no messages. */
export interface RowForwarding {
  /** Read at each look. */
  rules(): ForwardRules;
  /** Inside the write that passes the row: it tells the backend this, unless it did before. */
  tell(event: RowEvent): void;
  /** Inside the write that stores the message: it had been changed then (Unix ms) when it was read. */
  wasEdited(guid: string, editedAt: number): void;
  /** Inside a write: a link belongs to the message with the guid `to`; false if that is not known. */
  joinLink(link: IncomingMessage, to: string): boolean;
}
