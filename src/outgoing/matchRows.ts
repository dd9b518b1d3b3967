import { statSync } from 'node:fs';
import { basename } from 'node:path';
import type { SendRecord } from '../store/sendRecord.js';
import type { SentFile, SentRow, SentRows } from './ports.js';

export interface Matches {
  /** The row that proves each send, by the send's seq. */
  proofs: ReadonlyMap<number, SentRow>;
  /** Sends whose only trace is a ghost row. */
  ghosts: ReadonlySet<number>;
}

/**
 * Finds for each send the first unclaimed outgoing row after the one that was newest at its attempt, in the same
 * conversation, with the same text, or with the same file and no text. One row proves one send; of equal texts the older send gets the older row.
 */
export function matchRows(
  sends: readonly SendRecord[],
  rows: SentRows,
  isClaimed: (guid: string) => boolean,
): Matches {
  const proofs = new Map<number, SentRow>();
  const ghosts = new Set<number>();
  const position = rows.position();
  const open = sends
    .filter((send) => send.afterRow !== null && send.generation === position?.generation)
    .toSorted((a, b) => a.seq - b.seq);
  const from = open.reduce((least, send) => Math.min(least, send.afterRow ?? least), Infinity);
  if (position === undefined || from >= position.rowId) return { proofs, ghosts };
  const wanted = open.map((send) => ({ send, text: rows.normalise(send.text), isFile: send.file !== null }));
  for (const row of rows.after(from)) {
    if (isClaimed(row.guid)) continue;
    const text = rows.normalise(row.text);
    let files: readonly SentFile[] | undefined;
    for (const { send, text: expected, isFile } of wanted) {
      if (row.rowId <= (send.afterRow ?? Infinity)) continue;
      if (row.ghostOf === send.conversation) ghosts.add(send.seq);
      if (proofs.has(send.seq) || row.conversation !== send.conversation || text !== expected) continue;
      if (isFile) {
        files ??= rows.filesOf(row.rowId);
        if (!files.some((file) => isFileOf(send, file))) continue;
      }
      proofs.set(send.seq, row);
      break;
    }
  }
  return { proofs, ghosts };
}

/** By its name, or by its size where Messages gave it another name. */
function isFileOf(send: SendRecord, { name, sizeBytes }: SentFile): boolean {
  const path = send.file ?? '';
  if (name !== null && name.normalize('NFC') === basename(path).normalize('NFC')) return true;
  return sizeBytes > 0 && sizeBytes === statSync(path, { throwIfNoEntry: false })?.size;
}
