import { textOf } from '../../store/messageParts.js';
import { INPUT_LIMITS } from '../../system/inputLimits.js';
import { type DecodedBody, decodeAttributedBody } from './attributedBody.js';
import { bodyParts } from './bodyParts.js';
import type { ChatRow } from './chatRow.js';
import { bodyFromHistory, type MessageSummary, readMessageSummary, UNCHANGED } from './messageSummary.js';
import { plainWords } from './plainWords.js';

/** What a row says now, and what of it was taken back. */
export interface RowBody extends DecodedBody {
  /** The parts that its sender took back, in order. */
  partsUnsent: readonly number[];
  /** All that the message ever had was taken back, whatever its body still holds. */
  isAllUnsent: boolean;
  /** It is noted which parts the message was written with. */
  hasPartList: boolean;
  /** When it was last edited, as its history has it (Unix ms); null: not known. */
  historyAt: number | null;
  /** How long the text is, in UTF-16 units, where `text` is only its beginning (INPUT_LIMITS.messageText, ownText); else null. */
  wholeLength: number | null;
}

type BodyColumns = Pick<ChatRow, 'text' | 'attributedBody'> & Partial<Pick<ChatRow, 'summary' | 'isFromMe'>>;

const NO_PARTS: readonly number[] = [];

/**
 * attributedBody before text: since macOS 26 only it has the text (docs/facts.md#values), and it names the files. Before one that is
 * damaged, text; either, where the other is empty; the newest version of the edit history where neither can be read. Without
 * the parts that were taken back. Of a text that is too long, its beginning.
 */
export function bodyOf(row: BodyColumns): RowBody {
  const most = row.isFromMe === 1 ? INPUT_LIMITS.ownText : INPUT_LIMITS.messageText;
  const whole = wholeBodyOf(row);
  const length = whole.text?.length ?? 0;
  if (length <= most) return { ...whole, wholeLength: null };
  const runs = whole.runs
    .filter(({ start }) => start < most)
    .map((run) => ({ ...run, length: Math.min(run.length, most - run.start) }));
  return { ...whole, text: whole.text?.slice(0, most) ?? null, runs, wholeLength: length };
}

function wholeBodyOf(row: BodyColumns): Omit<RowBody, 'wholeLength'> {
  const summary = readMessageSummary(row.summary ?? null);
  const body = written(row);
  if (summary === UNCHANGED)
    return { ...body, partsUnsent: NO_PARTS, isAllUnsent: false, hasPartList: false, historyAt: null };
  const { original, retracted, editedAt } = summary;
  const isAllUnsent = original.size > 0 && [...original].every((part) => retracted.has(part));
  const isUnreadable = body.fallback || (body.text ?? '') === '';
  const known = isUnreadable ? (bodyFromHistory(summary) ?? body) : body;
  return {
    ...(isAllUnsent ? { text: null, runs: [], fallback: false } : withoutUnsent(known, summary)),
    partsUnsent: [...retracted].sort((a, b) => a - b),
    isAllUnsent,
    hasPartList: original.size > 0,
    historyAt: editedAt,
  };
}

function written(row: BodyColumns): DecodedBody {
  if (row.attributedBody === null) return { text: row.text, runs: [], fallback: false };
  const body = decodeAttributedBody(row.attributedBody);
  return { ...body, text: body.fallback ? row.text || body.text : body.text || row.text };
}

/**
 * A body as it is without the parts that were taken back. Messages writes it so itself; where it still has more parts than are
 * left, those are cut out by their number. A body that has as many as are left is taken as it is, for nobody has said whether
 * what is left keeps its numbers.
 */
function withoutUnsent(body: DecodedBody, { original, retracted }: MessageSummary): DecodedBody {
  if (body.text === null || retracted.size === 0) return body;
  const parts = new Set(body.runs.flatMap(({ attributes }) => attributes.messagePart ?? []));
  const left = [...original].filter((part) => !retracted.has(part)).length;
  const isCut = original.size > 0 && parts.size <= left;
  const kept = body.runs.filter(({ attributes: { messagePart } }) => !retracted.has(messagePart ?? -1));
  if (isCut || kept.length === 0 || kept.length === body.runs.length) return body;
  let text = '';
  const runs = kept.map((run) => {
    const start = text.length;
    text += body.text?.slice(run.start, run.start + run.length) ?? '';
    return { ...run, start };
  });
  return { ...body, text, runs };
}

/** What a person reads of a body: without the places of files and balloons, with a line break at each seam between texts. */
export function readableText(body: DecodedBody): string {
  return textOf(bodyParts(body));
}

/** Whether a body has places for files, or the row says that there are some. */
export function expectsFiles(row: Pick<ChatRow, 'hasAttachments'>, body: DecodedBody): boolean {
  return row.hasAttachments === 1 || (body.text ?? '').includes('\ufffc');
}

/** What was said in the audio files of a body, by the guid of the file; together no more than a text may have. */
export function transcriptions(body: DecodedBody): Map<string, string> {
  let left: number = INPUT_LIMITS.messageText;
  return new Map(
    body.runs.flatMap(({ attributes: { transferGuid, transcription } }) => {
      const said = plainWords(transcription?.slice(0, left) ?? null);
      left -= said.length;
      return transferGuid === null || said === '' ? [] : [[transferGuid, said] as const];
    }),
  );
}

/** When a message was last changed by its sender, or a part of it taken back (Unix ms); null: never, or nothing says when. */
export function changedAt(
  { editedAt, retractedAt }: Pick<ChatRow, 'editedAt' | 'retractedAt'>,
  { historyAt }: Pick<RowBody, 'historyAt'>,
): number | null {
  const noted = Math.max(editedAt ?? 0, retractedAt ?? 0);
  // Edits are known of which only the history says when; of others it has the time in seconds, which would count as a second edit.
  return noted === 0 ? historyAt : noted;
}

/**
 * The files that are left of a message of which a part was taken back, by their guid; null: all that it has, or the body does not
 * name them.
 */
export function filesLeft(body: RowBody): ReadonlySet<string> | null {
  if (body.isAllUnsent) return new Set();
  if (body.partsUnsent.length === 0 || body.fallback || body.text === null || body.wholeLength !== null)
    return null;
  const named = body.runs.flatMap(({ attributes }) => attributes.transferGuid ?? []);
  const places = body.text.split('\ufffc').length - 1;
  return named.length < places ? null : new Set(named);
}

/** What says that a row was taken back. */
type Signs = Pick<ChatRow, 'isEmpty' | 'partCount' | 'retractedAt'> & { isAudio?: boolean };

/**
 * Whether all of a message was taken back by its sender. `text` is what can be read of it, `files` how many files it still has.
 * macOS has several forms of it: date_retracted, is_empty with a part_count of 0, or (macOS 26) only date_edited with the parts
 * in message_summary_info. Emptied by something else is not taken back: an audio message may have no body, one being edited has
 * none for a moment, and one that is damaged cannot be read.
 */
export function isTakenBack(row: Signs, body: RowBody, text: string, files: number): boolean {
  if (body.isAllUnsent) return true;
  if (text !== '' || (body.text ?? '').includes('\ufffc')) return false;
  if (row.isEmpty === 1 && row.partCount === 0) return true;
  if (body.fallback) return false;
  const isDated = row.retractedAt !== null || (row.isEmpty === 1 && row.isAudio !== true);
  if (files === 0 && isDated) return true;
  // Where the parts are listed, others than these are left. Where they are not, each file that it still has was one.
  return !body.hasPartList && body.partsUnsent.length >= Math.max(files, 1);
}
