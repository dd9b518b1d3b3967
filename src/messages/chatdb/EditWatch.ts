import type { Statement } from 'better-sqlite3';
import type { IncomingAttachment, MessagePart } from '../../model/incoming.js';
import { textOf } from '../../store/incomingRecord.js';
import type { Clock, Timer } from '../../system/clock.js';
import { INPUT_LIMITS } from '../../system/inputLimits.js';
import type { OpenChatDb, Reading } from './ChatDbConnection.js';
import type { AttachmentRow } from './chatRow.js';
import {
  bodyOf,
  bodyParts,
  changedAt,
  countedParts,
  filesLeft,
  isTakenBack,
  type RowBody,
  shownFiles,
  transcriptions,
  underSubject,
} from './rowBody.js';
import { attachmentColumns, summaryColumn } from './rows.js';
import { APPLE_EPOCH_MS } from './schema.js';

interface EditWatchOptions {
  chatDb: { readEdits<T>(work: (rows: EditedRows) => T): Reading<T> };
  clock: Clock;
  /**
   * Processes the changes, the oldest message first; the same ones again at each look, until they are old. False if
   * that was not possible now.
   */
  onChanges: (changes: readonly RowChange[]) => boolean;
}

/** Senders may edit a message for 15 minutes and unsend it for 2; a Mac that was asleep gets the change later. */
const HOT_MS = 30 * 60_000;
const COLD_MS = 48 * 3600_000;
const HOT_EVERY_MS = 1_000;
const COLD_EVERY_MS = 60_000;
/** The cold stretch is read in so many pieces, other work between them. */
const COLD_PIECES = 16;
const PIECE_MS = COLD_MS / COLD_PIECES;
/** A message may bear a date a little ahead of our clock. */
const AHEAD_MS = 24 * 3600_000;

/**
 * Looks for messages that were changed in place after they were read: of the last half hour at every change of chat.db,
 * at most once a second; of the last 48 hours once a minute if anything changed. By the index on date, never by a scan.
 */
export class EditWatch {
  private hot: Timer | undefined;
  private cold: Timer | undefined;
  private lookedAt = Number.NEGATIVE_INFINITY;
  private changedSinceCold = true;
  private running = false;

  constructor(private readonly options: EditWatchOptions) {}

  /** Begins with the cold stretch: what was changed while we were down. */
  start(): void {
    this.running = true;
    this.lookCold(0);
  }

  /** No timer is left. Idempotent. */
  stop(): void {
    this.running = false;
    this.hot?.cancel();
    this.cold?.cancel();
  }

  /** chat.db changed. */
  look(): void {
    if (!this.running) return;
    this.changedSinceCold = true;
    if (this.hot !== undefined) return;
    const { clock } = this.options;
    const wait = this.lookedAt + HOT_EVERY_MS - clock.monotonic();
    if (wait <= 0) this.lookHot();
    else this.hot = clock.after(wait, () => this.lookHot());
  }

  private lookHot(): void {
    this.hot = undefined;
    const { clock } = this.options;
    this.lookedAt = clock.monotonic();
    const now = clock.now();
    this.examine(now - HOT_MS, now + AHEAD_MS);
  }

  /** One piece of the cold stretch; the next one follows in another turn of the loop. */
  private lookCold(piece: number): void {
    if (piece === 0 && !this.changedSinceCold) {
      this.coldLater(COLD_EVERY_MS, 0);
      return;
    }
    if (piece === 0) this.changedSinceCold = false;
    const now = this.options.clock.now();
    const from = now - COLD_MS + piece * PIECE_MS;
    const isLast = piece === COLD_PIECES - 1;
    this.examine(from, isLast ? now + AHEAD_MS : from + PIECE_MS);
    if (isLast) this.coldLater(COLD_EVERY_MS, 0);
    else this.coldLater(0, piece + 1);
  }

  private coldLater(ms: number, piece: number): void {
    if (this.running) this.cold = this.options.clock.after(ms, () => this.lookCold(piece));
  }

  private examine(from: number, to: number): void {
    const reading = this.options.chatDb.readEdits((rows) => rows.between(from, to));
    const isDone =
      reading.kind === 'read' && (reading.value.length === 0 || this.options.onChanges(reading.value));
    // Locked, away, or not stored: the next minute's look must not be left out for want of a change.
    if (!isDone) this.changedSinceCold = true;
  }
}

/**
 * A message to us that changed after it was written: by its sender, because its files were joined to it later, or
 * because a device transcribed it. `reversed` is every sent row: it may have looked like a message to us before.
 * `partsUnsent` are the unsent parts, `text` the remaining text, `filesLeft` the guids of the remaining files, absent
 * if none was unsent or it is not known which; `at` is null if the time is not known. `files` are all current files,
 * reported for every message that has some; `said` is keyed by the guid of the file. Times are Unix ms.
 */
export type RowChange =
  | { kind: 'reversed'; guid: string; rowId: number }
  | {
      kind: 'edited';
      guid: string;
      text: string;
      parts: MessagePart[];
      /** How long the text is that was cut, in UTF-16 units. */
      wholeLength?: number;
      at: number | null;
      partsUnsent?: readonly number[];
      filesLeft?: ReadonlySet<string>;
    }
  | { kind: 'unsent'; guid: string; rowId: number; sentAt: number | null; at: number | null }
  | { kind: 'files'; guid: string; files: IncomingAttachment[] }
  | { kind: 'transcribed'; guid: string; said: ReadonlyMap<string, string> };

interface RawChange {
  guid: string;
  rowId: number;
  sentAt: number | null;
  text: string | null;
  attributedBody: Buffer | null;
  subject: string | null;
  isEmpty: number | null;
  partCount: number | null;
  isAudio: number | null;
  summary: Buffer | null;
  editedAt: number | null;
  retractedAt: number | null;
}

interface JoinedFile extends AttachmentRow {
  messageGuid: string;
}

/**
 * Reads messages that were changed in place: an edit sets date_edited, or nothing but the history in message_summary_info; a
 * retraction has the forms of `isTakenBack`; what was said in an audio message may be written into its body later. No index
 * has these columns, so the caller names a stretch of `date`, which has one.
 */
export class EditedRows {
  private readonly changed: Statement<unknown[], RawChange> | undefined;

  private readonly joined: Statement<unknown[], JoinedFile>;

  private readonly sent: Statement<unknown[], { rowId: number; guid: string }>;

  constructor({ database, schema }: OpenChatDb) {
    // CROSS JOIN keeps the order in which SQLite goes: from the few messages of the stretch to their files.
    this.joined = database.prepare(
      `SELECT CAST(m.guid AS TEXT) AS messageGuid, ${attachmentColumns(schema)}
       FROM message m CROSS JOIN message_attachment_join j CROSS JOIN attachment a
       WHERE m.date > ? AND m.date <= ? AND +m.is_from_me = 0 AND j.message_id = m.ROWID AND a.ROWID = j.attachment_id
       ORDER BY m.date, m.ROWID, a.ROWID`,
    );
    this.sent = database.prepare(
      `SELECT m.ROWID AS rowId, CAST(m.guid AS TEXT) AS guid FROM message m
       WHERE m.date > ? AND m.date <= ? AND +m.is_from_me = 1 ORDER BY m.date`,
    );
    // Before macOS 13 there are no edits: they arrive as separate messages.
    if (!schema.has('message', 'date_edited')) return;
    const m = (column: string) => schema.column('message', 'm', column);
    this.changed = database.prepare(
      `SELECT CAST(m.guid AS TEXT) AS guid, m.ROWID AS rowId, ${schema.date('message', 'm', 'date')} AS sentAt,
         ${schema.textUpTo(INPUT_LIMITS.messageBody, 'message', 'm', 'text')} AS text,
         ${schema.bytes('message', 'm', 'attributedBody')} AS attributedBody,
         ${schema.textUpTo(INPUT_LIMITS.messageTitle, 'message', 'm', 'subject')} AS subject, ${m('is_empty')} AS isEmpty,
         ${m('part_count')} AS partCount, ${m('is_audio_message')} AS isAudio, ${summaryColumn(schema, 'm')} AS summary,
         ${schema.date('message', 'm', 'date_edited')} AS editedAt,
         ${schema.date('message', 'm', 'date_retracted')} AS retractedAt
       FROM message m WHERE m.date > ? AND m.date <= ? AND +m.is_from_me = 0 AND coalesce(${m('item_type')}, 0) = 0
         AND (${m('date_edited')} > 0 OR ${m('date_retracted')} > 0 OR ${m('is_empty')} = 1
           OR ${m('is_audio_message')} = 1 OR ${summaryColumn(schema, 'm')} IS NOT NULL)
       ORDER BY m.date`,
    );
  }

  /**
   * The changed messages among those written after `from` and up to `to` (Unix ms): first sent rows, then unsent
   * messages, then files, then edits and transcriptions, which may be of those files. A message that causes an internal
   * error has no change: it was set aside when it was read. Throws SqliteError.
   */
  between(from: number, to: number): RowChange[] {
    const stretch = [appleDate(from), appleDate(to)];
    const files = new Map<string, AttachmentRow[]>();
    for (const { messageGuid, ...file } of this.joined.all(...stretch))
      files.set(messageGuid, [...(files.get(messageGuid) ?? []), file]);
    const changed = (this.changed?.all(...stretch) ?? []).flatMap((raw): RowChange[] => {
      try {
        const body = bodyOf(raw);
        const joined = files.get(raw.guid) ?? [];
        const left = filesLeft(body);
        // A file that was taken back may stay joined.
        const kept = left === null ? joined : joined.filter(({ guid }) => left.has(guid));
        if (joined.length > 0) files.set(raw.guid, kept);
        return changeOf(raw, body, shownFiles(kept).length);
      } catch {
        return [];
      }
    });
    const reversed = this.sent.all(...stretch).map((row): RowChange => ({ kind: 'reversed', ...row }));
    return [
      ...reversed,
      ...changed.filter(({ kind }) => kind === 'unsent'),
      ...[...files].map(([guid, all]): RowChange => ({ kind: 'files', guid, files: shownFiles(all) })),
      ...changed.filter(({ kind }) => kind !== 'unsent'),
    ];
  }
}

function changeOf(raw: RawChange, body: RowBody, files: number): RowChange[] {
  const { guid, rowId, sentAt, editedAt, retractedAt } = raw;
  const typed = bodyParts(body);
  if (isTakenBack({ ...raw, isAudio: raw.isAudio === 1 }, body, textOf(typed), files))
    return [{ kind: 'unsent', guid, rowId, sentAt, at: retractedAt ?? editedAt }];
  const parts = countedParts(underSubject(raw.subject, typed));
  const text = textOf(parts);
  // Files alone have their places in the body.
  if (text === '' && !(body.text ?? '').includes('\ufffc')) return [];
  const at = changedAt(raw, body);
  const { partsUnsent } = body;
  if (at !== null || partsUnsent.length > 0) {
    const left = filesLeft(body);
    return [
      {
        kind: 'edited',
        guid,
        text,
        parts,
        ...(body.wholeLength === null ? {} : { wholeLength: body.wholeLength }),
        at,
        ...(partsUnsent.length === 0 ? {} : { partsUnsent }),
        ...(left === null ? {} : { filesLeft: left }),
      },
    ];
  }
  const said = transcriptions(body);
  return said.size === 0 ? [] : [{ kind: 'transcribed', guid, said }];
}

/** Unix ms as ns since 2001. */
function appleDate(unixMs: number): bigint {
  return BigInt(Math.trunc(unixMs) - APPLE_EPOCH_MS) * 1_000_000n;
}
