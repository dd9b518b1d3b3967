import type { Schema } from './schema.js';

/** Types of files by `attachment.uti`, where `mime_type` is NULL or empty (docs/facts.md#attachments). */
const TYPE_BY_UTI: Readonly<Record<string, string>> = {
  'public.heic': 'image/heic',
  'public.heif': 'image/heif',
  'public.jpeg': 'image/jpeg',
  'public.png': 'image/png',
  'com.compuserve.gif': 'image/gif',
  'public.tiff': 'image/tiff',
  'public.webp': 'image/webp',
  'org.webmproject.webp': 'image/webp',
  'com.microsoft.bmp': 'image/bmp',
  'public.avif': 'image/avif',
  'com.apple.quicktime-movie': 'video/quicktime',
  'public.mpeg-4': 'video/mp4',
  'com.apple.coreaudio-format': 'audio/x-caf',
  'com.adobe.pdf': 'application/pdf',
};

/** The type of a file as an expression: as it is said or, where it is not, by what Messages itself knows the file as. */
export function mimeTypeColumn(schema: Schema, alias: string): string {
  const text = (column: string) => schema.text('attachment', alias, column);
  const cases = Object.entries(TYPE_BY_UTI).map(([uti, type]) => `WHEN '${uti}' THEN '${type}'`);
  return `coalesce(nullif(${text('mime_type')}, ''), CASE lower(${text('uti')}) ${cases.join(' ')} END)`;
}
