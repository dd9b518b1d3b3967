/** The kinds of files that Messages shows or a person opens; not pages (a login form instead of a picture), not programs. */
const SENDABLE =
  /^(?:(?:image|video|audio)\/[\w.+-]+|application\/(?:pdf|zip|rtf|vnd\.[\w.+-]+)|text\/(?:plain|csv|vcard|x-vcard|calendar))$/;

const EXTENSIONS: ReadonlyMap<string, string> = new Map([
  ['image/jpeg', '.jpg'],
  ['image/png', '.png'],
  ['image/gif', '.gif'],
  ['image/webp', '.webp'],
  ['image/heic', '.heic'],
  ['video/mp4', '.mp4'],
  ['video/quicktime', '.mov'],
  ['audio/mpeg', '.mp3'],
  ['audio/mp4', '.m4a'],
  ['application/pdf', '.pdf'],
  ['text/plain', '.txt'],
  ['text/csv', '.csv'],
  ['text/vcard', '.vcf'],
  ['text/calendar', '.ics'],
]);

const IMAGE_EXTENSION = /\.(?:jpe?g|png|gif|webp|heics?|heif|tiff?|bmp|avif)$/i;
const HEIC_EXTENSION = /\.(?:heics?|heif)$/i;

/** The type of a `Content-Type` header, without its parameters. */
export function mediaType(header: string | undefined): string {
  return (header ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

export function isSendable(type: string): boolean {
  return SENDABLE.test(type);
}

/** The usual ending of a type's files; empty if there is none. */
export function extensionOf(type: string): string {
  return EXTENSIONS.get(type) ?? '';
}

/** Whether a file is an image, by its type, or by its name where chat.db has none. */
export function isImage(mimeType: string | null, name: string | null): boolean {
  if (mimeType === null || mimeType === '') return IMAGE_EXTENSION.test(name ?? '');
  return mimeType.toLowerCase().startsWith('image/');
}

/** Apple's own image format, which few others read. */
export function isHeic(mimeType: string | null, name: string | null): boolean {
  return /^image\/hei[cf]/i.test(mimeType ?? '') || HEIC_EXTENSION.test(name ?? '');
}

/** The type of an image by its name, where chat.db has none. */
export function imageType(mimeType: string | null, name: string | null): string {
  if (mimeType !== null && mimeType !== '') return mimeType.toLowerCase();
  const ending = /\.[^.]+$/.exec(name ?? '')?.[0].toLowerCase() ?? '';
  if (ending === '.jpeg') return 'image/jpeg';
  return [...EXTENSIONS].find(([, extension]) => extension === ending)?.[0] ?? 'application/octet-stream';
}
