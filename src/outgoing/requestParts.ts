import type { OutgoingFile, SendRole } from '../model/sending.js';
import { MOST_PARTS, splitText } from './splitText.js';
import { textFault } from './textLimit.js';

/** One text or one file, a send of its own. */
export interface Part {
  id: string;
  partOf: string | null;
  part: number;
  role: SendRole;
  text: string;
  /** Where the file is staged; only its name while `source` says where it is to be fetched from. */
  file: string | null;
  source: string | null;
  pauseMs: number;
}

interface PartRequest {
  id: string;
  text: string;
  role: SendRole;
  pauseMs: number;
  files?: readonly OutgoingFile[];
}

/** Messages takes one file after the other more surely with a pause between them (docs/facts.md#files). */
const PART_PAUSE_MS = 500;

/**
 * What a request is sent as: its text (cut where it is too long and may be cut), then its files. The whole keeps the id of
 * the request; several parts are numbered `<id>:1`, `<id>:2` … `fault` says why a text cannot be sent.
 */
export function partsOf(
  request: PartRequest,
  limits: { maxTextLength: number; splitLongTexts: boolean },
): { parts: Part[] } | { fault: string } {
  const { id, text, role, pauseMs, files = [] } = request;
  const fault = textFault(text, limits.maxTextLength);
  // Nearly every request: no detour for it.
  if (fault === undefined && files.length === 0) {
    return { parts: [{ id, partOf: null, part: 0, role, text, file: null, source: null, pauseMs }] };
  }
  // A reflex is compared with the reply by the whole of its text.
  if (fault !== undefined && (!limits.splitLongTexts || role === 'reflex')) return { fault };
  const texts = fault === undefined ? [text] : splitText(text, limits.maxTextLength);
  if (texts.length > MOST_PARTS) {
    return {
      fault: `The text makes ${texts.length} parts of outgoing.max_text_length; the limit is ${MOST_PARTS}.`,
    };
  }
  if (text === '' && files.length > 0) texts.length = 0;
  const count = texts.length + files.length;
  if (count === 0) return { fault: 'The text is blank, so that no part of it can be sent.' };
  const numbered = (index: number) => ({
    id: count === 1 ? id : `${id}:${index + 1}`,
    partOf: count === 1 ? null : id,
    part: count === 1 ? 0 : index + 1,
    pauseMs: index === 0 ? pauseMs : Math.max(pauseMs, PART_PAUSE_MS),
  });
  const ofTexts = texts.map((piece, index): Part => {
    const pieceRole = index === 0 || role === 'message' ? role : 'bubble';
    return { ...numbered(index), role: pieceRole, text: piece, file: null, source: null };
  });
  const ofFiles = files.map((file, index): Part => {
    const place = 'path' in file ? { file: file.path, source: null } : { file: file.name, source: file.url };
    return { ...numbered(texts.length + index), role: 'message', text: '', ...place };
  });
  return { parts: [...ofTexts, ...ofFiles] };
}
