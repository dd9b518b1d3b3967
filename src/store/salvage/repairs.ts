import type { Salvaged } from '../salvage.js';
import type { Database } from '../sqlite.js';
import { number, Repair, text } from './Repair.js';
import { endWhatCannotEnd, giveAcksAgain, rebuildCommands, reportSchedule } from './repairCommands.js';
import { rebuildIncoming, rebuildNumbers, rebuildUploads } from './repairIncoming.js';
import {
  distrustSends,
  endDuplicates,
  type LostSchedule,
  lostSchedules,
  rebuildSend,
} from './repairTexts.js';

/** What was done for rows that are lost. */
export interface Repairs {
  schedules: readonly LostSchedule[];
  /** Commands whose outcome is lost. */
  unknownCommands: number;
  /** Texts whose outcome is lost. */
  unknownTexts: number;
  /** chat.db is read again, by date. */
  readsAgain: boolean;
  /** A pause may be lost: everything is paused until the operator resumes it. */
  paused: boolean;
}

const HOUR_MS = 3_600_000;

/**
 * Reconstructs in the new store, from all other records, what is lost of the damaged one (docs/guarantees.md, "When the
 * disk fails"). One commit. No text is sent that may have been sent, no command is executed that was ever seen; unknown
 * outcomes are reported as unknown. `now` is Unix ms. Disk errors are thrown.
 */
export function repair(target: Database, salvaged: Salvaged, now: number): Repairs {
  return target.transaction(() => repairAll(new Repair(target, salvaged, now)))();
}

function repairAll(repair: Repair): Repairs {
  distrustSends(repair);
  for (const row of repair.lost('sends')) rebuildSend(repair, row);
  endDuplicates(repair);
  const schedules = lostSchedules(repair);
  rebuildCommands(repair);
  for (const text of schedules) reportSchedule(repair, text);
  endWhatCannotEnd(repair);
  giveAcksAgain(repair);
  const readsAgain = rebuildIncoming(repair);
  rebuildUploads(repair);
  rebuildNumbers(repair);
  rebuildSetAside(repair);
  rebuildRecipients(repair);
  refuseUsedLinks(repair);
  const paused = pauseIfLost(repair);
  reportLosses(repair);
  const { unknownCommands, unknownTexts } = repair;
  return { schedules, unknownCommands, unknownTexts, readsAgain, paused };
}

/** An item that ended the agent before is not worked on again, whatever it was that it did. */
function rebuildSetAside(repair: Repair): void {
  for (const { known } of repair.lost('set_aside')) {
    repair.run(
      "INSERT OR IGNORE INTO set_aside (kind, key, at, error) VALUES (?, ?, ?, 'its record was damaged')",
      ...[text(known.kind), text(known.key), number(known.at) ?? repair.now],
    );
  }
}

/** Rather too many count as new than that the limit for strangers is passed. */
function rebuildRecipients(repair: Repair): void {
  if (!repair.isDamaged('new_recipients')) return;
  repair.run(
    `INSERT OR IGNORE INTO new_recipients (conversation, written_at)
     SELECT conversation, max(created_at) FROM sends WHERE created_at > ? GROUP BY conversation`,
    repair.now - HOUR_MS,
  );
}

function refuseUsedLinks(repair: Repair): void {
  if (!repair.isDamaged('used_links') && !repair.isDamaged('meta')) return;
  repair.run("INSERT OR REPLACE INTO meta (key, value) VALUES ('used_links_floor', ?)", String(repair.now));
}

/** Nothing is sent if it may have been paused: only the operator knows that there was no pause. */
function pauseIfLost(repair: Repair): boolean {
  if (!repair.isDamaged('pauses')) return false;
  repair.run(
    "INSERT OR IGNORE INTO pauses (conversation, reason, since) VALUES ('*', 'manual', ?)",
    repair.now,
  );
  return true;
}

/** How much is lost of each table, and whether that is all. */
function reportLosses(repair: Repair): void {
  const tables = [...repair.salvaged].filter(([table]) => repair.isDamaged(table));
  if (tables.length === 0) return;
  const lost = Object.fromEntries(tables.map(([table, { lost }]) => [table, lost.length]));
  const mayBeMore = tables.flatMap(([table, { mayHaveLostMore }]) => (mayHaveLostMore ? [table] : []));
  repair.event('store_damaged', null, { lost, may_be_more: mayBeMore });
}
