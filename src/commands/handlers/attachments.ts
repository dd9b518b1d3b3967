import { z } from 'zod';
import type { Verdict } from '../../model/command.js';
import type { OutgoingFile } from '../../model/sending.js';
import type { FileAdmission } from '../ports.js';

/** More than a person would view in a conversation at once. */
const MOST_FILES = 20;

const ONE_SOURCE = 'exactly one of url, data_base64 and path';

const attachment = z
  .object(
    {
      url: z.string('an https URL').nullish(),
      data_base64: z.string('base64').nullish(),
      path: z.string('an absolute path').nullish(),
      filename: z.string('a file name').nullish(),
    },
    'an object with url, data_base64 or path',
  )
  .refine(
    ({ url, data_base64, path }) =>
      [url, data_base64, path].filter((source) => (source ?? null) !== null).length === 1,
    ONE_SOURCE,
  );

/** The files that go out with a text. */
export const attachments = z
  .array(attachment, 'a list of files')
  .min(1, 'a list of files')
  .max(MOST_FILES, `at most ${MOST_FILES} files`);

/** No files: absent or empty. */
export const noAttachments = z.array(z.unknown(), 'a list of files').max(0, 'a list of files').nullish();

/** Whether a payload comes with files, or with something in their place that is to be refused. */
export function hasAttachments(payload: Record<string, unknown>): boolean {
  return Array.isArray(payload.attachments) && payload.attachments.length > 0;
}

/** Judges each file, and stages those whose content the command holds; if one is refused, none is kept. */
export function admitFiles(
  door: FileAdmission,
  named: z.output<typeof attachments>,
): { kind: 'admitted'; files: OutgoingFile[] } | { kind: 'refused'; verdict: Verdict } {
  const files: OutgoingFile[] = [];
  for (const [index, { url, data_base64, path, filename }] of named.entries()) {
    const admission = door.admit({
      url: url ?? undefined,
      data_base64: data_base64 ?? undefined,
      path: path ?? undefined,
      filename: filename ?? undefined,
    });
    if (admission.kind === 'refused') {
      discardFiles(door, files);
      const message = `payload.attachments.${index}.${admission.field}: ${admission.message}.`;
      const result = { outcome: 'not_sent', retry_safe: true };
      return { kind: 'refused', verdict: { kind: 'failed', code: admission.errorCode, message, result } };
    }
    files.push(admission.file);
  }
  return { kind: 'admitted', files };
}

/** Takes back what was staged for a command that is refused after all. */
export function discardFiles(door: FileAdmission, files: readonly OutgoingFile[]): void {
  for (const file of files) if ('path' in file) door.discard(file.path);
}
