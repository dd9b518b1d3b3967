import { type DecodedBody, decodeAttributedBody } from './attributedBody.js';
import type { ChatRow } from './rows.js';

/** U+FFFC stands for a file, U+FFFD for an app's balloon. */
const PLACEHOLDERS = /[\ufffc\ufffd]/g;

/**
 * attributedBody before text: since macOS 26 only it has the text (macos-facts A.5), and it names the files. Before one that is
 * damaged, text; either, where the other is empty.
 */
export function bodyOf(row: Pick<ChatRow, 'text' | 'attributedBody'>): DecodedBody {
  if (row.attributedBody === null) return { text: row.text, runs: [], fallback: false };
  const body = decodeAttributedBody(row.attributedBody);
  return { ...body, text: body.fallback ? row.text || body.text : body.text || row.text };
}

/** What a person reads of a body: without the places of files and balloons. */
export function readableText(body: DecodedBody): string {
  return (body.text ?? '').replace(PLACEHOLDERS, '').trim();
}

/** A text under its subject, as it is read; the subject alone where nothing else was written. */
export function underSubject(subject: string | null, text: string): string {
  return [subject?.trim() ?? '', text].filter((part) => part !== '').join('\n');
}

/** Whether a body has places for files, or the row says that there are some. */
export function expectsFiles(row: Pick<ChatRow, 'hasAttachments'>, body: DecodedBody): boolean {
  return row.hasAttachments === 1 || (body.text ?? '').includes('\ufffc');
}

/** What was said in the audio files of a body, by the guid of the file. */
export function transcriptions(body: DecodedBody): Map<string, string> {
  return new Map(
    body.runs.flatMap(({ attributes: { transferGuid, transcription } }) => {
      const said = transcription?.trim() ?? '';
      return transferGuid === null || said === '' ? [] : [[transferGuid, said] as const];
    }),
  );
}

/** When a message was last changed by its sender, or a part of it taken back (Unix ms); null: never. */
export function changedAt({
  editedAt,
  retractedAt,
}: Pick<ChatRow, 'editedAt' | 'retractedAt'>): number | null {
  const last = Math.max(editedAt ?? 0, retractedAt ?? 0);
  return last === 0 ? null : last;
}
