import type { IncomingAttachment } from '../../model/incoming.js';
import type { AttachmentRow } from './chatRow.js';

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
