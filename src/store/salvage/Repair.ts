import { freshId } from '../../system/random.js';
import type { LostRow, Salvaged, SalvagedTable } from '../salvage.js';
import type { Database } from '../sqlite.js';
import type { Value } from './pageFormat.js';

export const LOST_TEXT = 'The record of this text was damaged: it is not known whether it was sent.';

/** The new store, what was salvaged of the damaged one, and the report of what is lost. Disk errors are thrown. */
export class Repair {
  unknownCommands = 0;
  unknownTexts = 0;

  /** `now` is Unix ms. */
  constructor(
    private readonly target: Database,
    readonly salvaged: Salvaged,
    readonly now: number,
  ) {}

  table(name: string): SalvagedTable {
    const table = this.salvaged.get(name);
    if (table === undefined) throw new Error(`The table ${name} was not salvaged`);
    return table;
  }

  lost(name: string): readonly LostRow[] {
    return this.table(name).lost;
  }

  isDamaged(name: string): boolean {
    const { lost, mayHaveLostMore, uncertain } = this.table(name);
    return lost.length > 0 || mayHaveLostMore || uncertain.size > 0;
  }

  run(sql: string, ...values: unknown[]): number {
    return this.target.prepare(sql).run(...values).changes;
  }

  one<T>(sql: string, ...values: unknown[]): T | undefined {
    return this.target.prepare<unknown[], T>(sql).get(...values);
  }

  many<T>(sql: string, ...values: unknown[]): T[] {
    return this.target.prepare<unknown[], T>(sql).all(...values);
  }

  /** The outcome of a text is not known, and its row no longer shows it. */
  lostText(conversation: string | null, about: Record<string, unknown>, error = LOST_TEXT): void {
    this.event('message_failed', conversation, {
      outcome: 'unknown',
      code: 'outcome_unknown',
      error,
      retry_safe: false,
      ...about,
    });
  }

  event(type: string, threadId: string | null, details: Record<string, unknown>): void {
    this.run(
      'INSERT INTO events (event_id, event_type, thread_id, details, created_at) VALUES (?, ?, ?, ?, ?)',
      ...[freshId('evt'), type, threadId, JSON.stringify(details), this.now],
    );
  }
}

/** States in which a send, or a scheduled text, has ended. */
export const SETTLED: ReadonlySet<string> = new Set([
  'sent',
  'failed',
  'unknown',
  'deduplicated',
  'cancelled',
]);

export function text(value: Value | undefined): string | null {
  return typeof value === 'string' ? value : null;
}

export function number(value: Value | undefined): number | null {
  return typeof value === 'number' ? value : null;
}
