import type { IncomingAttachment, MessagePart } from '../../model/incoming.js';
import { textOf } from '../../store/incomingRecord.js';
import { INPUT_LIMITS } from '../../system/inputLimits.js';
import { type DecodedBody, decodeAttributedBody, plainWords, type TextRun } from './attributedBody.js';
import type { AttachmentRow, ChatRow } from './chatRow.js';
import { bodyFromHistory, type MessageSummary, readMessageSummary, UNCHANGED } from './messageSummary.js';

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
 * A body without the unsent parts. Messages usually writes it that way; if it still has more parts than remain, the
 * unsent ones are removed by their number. A body that has as many parts as remain is used unchanged, because it is not
 * documented whether the remaining parts keep their numbers.
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

/** U+FFFC is a placeholder for a file or an inline image, U+FFFD for an app's balloon. */
const PLACEHOLDER_RUNS = /[\ufffc\ufffd]+/g;
const HAS_PLACEHOLDER = /[\ufffc\ufffd]/;
const FILE_MARK = '\ufffc';

/** Neighbouring text and marks that belong to one part. `number` null: unknown. */
interface OpenPart {
  number: number | null;
  written: string;
  hasText: boolean;
  /** Whether its last piece is text. */
  endsInText: boolean;
  marks: (string | null)[];
}

/**
 * The parts of a body, texts trimmed and without placeholders, empty ones left out. The rule:
 * - There is a boundary wherever the part number of the runs changes, whether it grows, skips or falls (after a part
 *   was unsent).
 * - Text without a part number continues the text before it: without a number no boundary is proven.
 * - A file's mark is a separate part, unless it has the same part number as the text beside it: then it is an image
 *   within the text (Genmoji), not a boundary, and its attachment follows that text.
 * - Runs that do not cover the text (a damaged body, or only the column `text`) show nothing: then only the marks are
 *   boundaries.
 * - Of files, at most one more than `countedParts` leaves: marks of three bytes must not make a part each.
 *
 * Linear in the length of the text.
 */
export function bodyParts(body: DecodedBody): MessagePart[] {
  const text = body.text ?? '';
  const isCovered = lengthOf(body.runs) === text.length;
  if ((!isCovered || body.runs.length <= 1) && !HAS_PLACEHOLDER.test(text)) return textPart(text);
  const parts: MessagePart[] = [];
  let files = 0;
  let nextMark = -1;
  let open: OpenPart | undefined;
  const close = () => {
    if (open !== undefined) for (const part of partsOf(open)) parts.push(part);
    open = undefined;
  };
  const begin = (number: number | null): OpenPart => {
    close();
    open = { number, written: '', hasText: false, endsInText: false, marks: [] };
    return open;
  };
  const runs = isCovered ? body.runs : [{ start: 0, length: text.length, attributes: undefined }];
  for (const { start, length, attributes } of runs) {
    const number = attributes?.messagePart ?? null;
    let guid = attributes?.transferGuid ?? null;
    const end = start + length;
    for (let at = start; at < end; ) {
      if (nextMark < at) nextMark = markFrom(text, at);
      if (nextMark === at) {
        const part = number !== null && open?.number === number ? open : begin(number);
        part.written += FILE_MARK;
        if (files <= INPUT_LIMITS.messageParts) part.marks.push(guid);
        files += 1;
        part.endsInText = false;
        guid = null;
        at += 1;
      } else {
        const part = open !== undefined && continues(open, number) ? open : begin(number);
        const next = Math.min(nextMark, end);
        part.written += text.slice(at, next);
        part.number ??= number;
        part.hasText = true;
        part.endsInText = true;
        at = next;
      }
    }
  }
  close();
  return parts;
}

/** The position of the next mark, or the end of the text. */
function markFrom(text: string, at: number): number {
  const found = text.indexOf(FILE_MARK, at);
  return found < 0 ? text.length : found;
}

/** Whether text with this part number continues the open part. */
function continues(open: OpenPart, number: number | null): boolean {
  if (number === null || open.number === null) return open.endsInText;
  return open.number === number;
}

/** The parts, or one text and the files after it if there are more than a person writes. */
export function countedParts(parts: MessagePart[]): MessagePart[] {
  if (parts.length <= INPUT_LIMITS.messageParts) return parts;
  const files = parts.filter(({ type }) => type === 'attachment').slice(0, INPUT_LIMITS.messageParts);
  return [{ type: 'text', text: textOf(parts) }, ...files];
}

/** A subject is bold above the text: a separate text, before all others. */
export function underSubject(subject: string | null, parts: readonly MessagePart[]): MessagePart[] {
  return [...textPart(subject ?? ''), ...parts];
}

function partsOf({ written, hasText, marks }: OpenPart): MessagePart[] {
  const files = marks.map((guid): MessagePart => ({ type: 'attachment', guid }));
  return hasText ? [...textPart(written), ...files] : files;
}

function textPart(written: string): MessagePart[] {
  const text = plainWords(withoutPlaceholders(written));
  return text === '' ? [] : [{ type: 'text', text }];
}

/** What stood on both sides of an image is not one word. */
function withoutPlaceholders(text: string): string {
  return text.replace(PLACEHOLDER_RUNS, (mark, at: number) => {
    const before = text[at - 1] ?? ' ';
    const after = text[at + mark.length] ?? ' ';
    return /\s/.test(before) || /\s/.test(after) ? '' : ' ';
  });
}

function lengthOf(runs: readonly TextRun[]): number {
  return runs.reduce((sum, { length }) => sum + length, 0);
}

/**
 * The files of a message that a person put there, with what is `said` in them by their guid: what belongs to a link's preview
 * is hidden.
 */
export function shownFiles(
  files: readonly AttachmentRow[],
  said: ReadonlyMap<string, string> = new Map(),
): IncomingAttachment[] {
  return files
    .filter((file) => file.hidden !== 1)
    .map((file) => ({
      guid: file.guid,
      mimeType: file.mimeType,
      filename: file.filename ?? file.path?.split('/').at(-1) ?? null,
      sizeBytes: file.sizeBytes,
      ...transcribed(said.get(file.guid)),
    }));
}

function transcribed(transcription: string | undefined): { transcription?: string } {
  return transcription === undefined ? {} : { transcription };
}

const PLAIN: readonly (readonly [RegExp, string])[] = [
  // What `plainWords` leaves out of a row, and the text that was sent may have.
  [/\u0085/g, '\n'],
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  [/[\0-\x08\x0e-\x1f\x7f-\x9f]/g, ''],
  // Variation selectors and joiners that Messages adds or drops.
  [/\ufe0e|\ufe0f|\u200d/g, ''],
  // Placeholders of attachments and apps part words, as line breaks do.
  [/[\ufffc\ufffd]/g, ' '],
  [/[\u2018\u2019\u201a\u201b\u2032]/g, "'"],
  [/[\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb]/g, '"'],
  [/\u2026/g, '...'],
  // Smart dashes make one of "--", so runs and long forms are the same.
  [/[-\u2010-\u2015\u2212]+/g, '-'],
  [/\s+/g, ' '],
];

/**
 * A text as far as Messages keeps it: two texts that differ only in what Messages may change on the way (smart
 * quotes, dashes and dots, emoji presentation, whitespace, composition) are equal. Idempotent. For comparing,
 * never for sending. An emoji or CJK text never becomes empty.
 */
export function normalisedText(text: string): string {
  let plain = text.normalize('NFC');
  for (const [pattern, replacement] of PLAIN) plain = plain.replace(pattern, replacement);
  return plain.trim().normalize('NFC');
}
