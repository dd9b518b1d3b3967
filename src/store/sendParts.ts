import type { SendRecord } from '../model/sending.js';
import { SEND_COLUMNS } from './sendRecord.js';
import type { Database, Statement } from './sqlite.js';

/** The send ledger by its requests of several parts, and by the files that go out. Changes are made inside a write. */
export class SendPartTable {
  private readonly selectParts: Statement;
  private readonly selectStaging: Statement;
  private readonly selectStaged: Statement;
  private readonly selectAttempted: Statement;
  private readonly updateFile: Statement;
  private readonly updateReady: Statement;
  private readonly updateUnstaged: Statement;

  /** `touched`: called with the seq of each text that is changed. */
  constructor(
    database: Database,
    private readonly touched: (seq: number) => void,
  ) {
    this.selectParts = database.prepare(`SELECT ${SEND_COLUMNS} FROM sends WHERE part_of = ? ORDER BY part`);
    this.selectStaging = database.prepare(
      `SELECT ${SEND_COLUMNS} FROM sends WHERE state = 'staging' ORDER BY seq`,
    );
    this.selectStaged = database.prepare(
      `SELECT ${SEND_COLUMNS} FROM sends WHERE staged = 1 AND seq > ? ORDER BY seq LIMIT +?`,
    );
    this.selectAttempted = database.prepare(
      'SELECT conversation, attempted_at AS attemptedAt FROM sends WHERE seq > ? AND attempted_at > ? ORDER BY seq',
    );
    // A source that holds the content itself is not needed once the content is a file.
    this.updateFile = database.prepare(
      "UPDATE sends SET file = ?, staged = 1, source = iif(source LIKE 'data:%', NULL, source) WHERE seq = ?",
    );
    this.updateReady = database.prepare(
      "UPDATE sends SET state = 'queued' WHERE seq = ? AND state = 'staging'",
    );
    this.updateUnstaged = database.prepare('UPDATE sends SET staged = 0 WHERE seq = ?');
  }

  /** All parts of a request, in their order. */
  of(partOf: string): SendRecord[] {
    return this.selectParts.all(partOf) as SendRecord[];
  }

  /** What waits for a file of its request. */
  staging(): SendRecord[] {
    return this.selectStaging.all() as SendRecord[];
  }

  /** Sends whose staged copy may still exist, by seq. */
  staged(afterSeq: number, limit: number): SendRecord[] {
    return this.selectStaged.all(afterSeq, limit) as SendRecord[];
  }

  /** Which of the sends behind `afterSeq` were attempted after that time (Unix ms), and when. */
  attemptedSince(afterSeq: number, since: number): { conversation: string; attemptedAt: number }[] {
    return this.selectAttempted.all(afterSeq, since) as { conversation: string; attemptedAt: number }[];
  }

  /** The file of a send is staged there. */
  setFile(seq: number, path: string): void {
    this.touched(seq);
    this.updateFile.run(path, seq);
  }

  /** Everything that this part waited for is there. */
  setReady(seq: number): void {
    this.touched(seq);
    this.updateReady.run(seq);
  }

  /** The staged copy is gone, or no longer ours. */
  setUnstaged(seq: number): void {
    this.touched(seq);
    this.updateUnstaged.run(seq);
  }
}
