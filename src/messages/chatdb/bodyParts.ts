import type { MessagePart } from '../../model/incoming.js';
import { textOf } from '../../store/messageParts.js';
import { INPUT_LIMITS } from '../../system/inputLimits.js';
import type { DecodedBody } from './attributedBody.js';
import { plainWords } from './plainWords.js';
import type { TextRun } from './textRuns.js';

/** U+FFFC stands for a file or an inline image, U+FFFD for an app's balloon. */
const PLACEHOLDERS = /[\ufffc\ufffd]+/g;
const HAS_PLACEHOLDER = /[\ufffc\ufffd]/;
const FILE_MARK = '\ufffc';

/** Neighbouring text and marks that belong to one part. `number` null: unknown. */
interface OpenPart {
  number: number | null;
  pieces: string[];
  marks: (string | null)[];
  /** Whether its last piece is text. */
  endsInText: boolean;
}

/**
 * The parts of a body, texts trimmed and without placeholders, empty ones left out. The rule:
 * - A seam lies wherever the part number of the runs changes, whether it grows, skips or falls (after a part was taken back).
 * - Text without a part number continues the text before it: without a number no seam is proven.
 * - A file's mark lies in a seam of its own, unless it has the very part number of the text beside it: then it is an image within
 *   the text (Genmoji), no seam, and its attachment follows that text.
 * - Runs that do not cover the text (a damaged body, or the column `text` alone) tell nothing: then the marks alone are seams.
 *
 * Linear in the length of the text.
 */
export function bodyParts(body: DecodedBody): MessagePart[] {
  const text = body.text ?? '';
  const isCovered = lengthOf(body.runs) === text.length;
  if ((!isCovered || body.runs.length <= 1) && !HAS_PLACEHOLDER.test(text)) return textPart(text);
  const parts: MessagePart[] = [];
  let open: OpenPart | undefined;
  const close = () => {
    if (open !== undefined) for (const part of partsOf(open)) parts.push(part);
    open = undefined;
  };
  const begin = (number: number | null): OpenPart => {
    close();
    open = { number, pieces: [], marks: [], endsInText: false };
    return open;
  };
  const runs = isCovered ? body.runs : [{ start: 0, length: text.length, attributes: undefined }];
  for (const { start, length, attributes } of runs) {
    const number = attributes?.messagePart ?? null;
    let guid = attributes?.transferGuid ?? null;
    for (const piece of text.slice(start, start + length).split(/(\ufffc)/)) {
      if (piece === '') continue;
      if (piece === FILE_MARK) {
        const part = number !== null && open?.number === number ? open : begin(number);
        part.pieces.push(piece);
        part.marks.push(guid);
        part.endsInText = false;
        guid = null;
      } else {
        const part = open !== undefined && continues(open, number) ? open : begin(number);
        part.pieces.push(piece);
        part.number ??= number;
        part.endsInText = true;
      }
    }
  }
  close();
  return parts;
}

/** Whether text of this part number goes on with what is open. */
function continues(open: OpenPart, number: number | null): boolean {
  if (number === null || open.number === null) return open.endsInText;
  return open.number === number;
}

/** The parts, or one text and the files behind it where they are more than anybody writes. */
export function countedParts(parts: MessagePart[]): MessagePart[] {
  if (parts.length <= INPUT_LIMITS.messageParts) return parts;
  const files = parts.filter(({ type }) => type === 'attachment').slice(0, INPUT_LIMITS.messageParts);
  return [{ type: 'text', text: textOf(parts) }, ...files];
}

/** A subject is bold above the text: a text of its own, before all others. */
export function underSubject(subject: string | null, parts: readonly MessagePart[]): MessagePart[] {
  return [...textPart(subject ?? ''), ...parts];
}

function partsOf({ pieces, marks }: OpenPart): MessagePart[] {
  return [...textPart(pieces.join('')), ...marks.map((guid): MessagePart => ({ type: 'attachment', guid }))];
}

function textPart(written: string): MessagePart[] {
  const text = plainWords(withoutPlaceholders(written));
  return text === '' ? [] : [{ type: 'text', text }];
}

/** What stood on both sides of an image is not one word. */
function withoutPlaceholders(text: string): string {
  return text.replace(PLACEHOLDERS, (mark, at: number) => {
    const before = text[at - 1] ?? ' ';
    const after = text[at + mark.length] ?? ' ';
    return /\s/.test(before) || /\s/.test(after) ? '' : ' ';
  });
}

function lengthOf(runs: readonly TextRun[]): number {
  return runs.reduce((sum, { length }) => sum + length, 0);
}
