/** The kinds of files that Messages shows or a person opens; not pages (a login form instead of a picture), not programs. */
const SENDABLE =
  /^(?:(?:image|video|audio)\/[\w.+-]+|application\/(?:pdf|zip|rtf|vnd\.[\w.+-]+)|text\/(?:plain|csv|vcard|x-vcard|calendar))$/;

const OFFICE = 'application/vnd.openxmlformats-officedocument';

/** The endings that files of a type have, the usual one first. */
const ENDINGS: ReadonlyMap<string, readonly string[]> = new Map([
  ['image/jpeg', ['.jpg', '.jpeg', '.jpe', '.jfif']],
  ['image/png', ['.png']],
  ['image/gif', ['.gif']],
  ['image/webp', ['.webp']],
  ['image/heic', ['.heic', '.heics', '.heif', '.hif']],
  ['image/heif', ['.heif', '.heic', '.hif']],
  ['image/tiff', ['.tiff', '.tif']],
  ['image/bmp', ['.bmp']],
  ['image/avif', ['.avif']],
  ['image/svg+xml', ['.svg']],
  ['video/mp4', ['.mp4', '.m4v']],
  ['video/quicktime', ['.mov', '.qt']],
  ['video/webm', ['.webm']],
  ['audio/mpeg', ['.mp3']],
  ['audio/mp4', ['.m4a', '.mp4', '.m4b']],
  ['audio/aac', ['.aac']],
  ['audio/ogg', ['.ogg', '.oga', '.opus']],
  ['audio/wav', ['.wav']],
  ['application/pdf', ['.pdf']],
  ['application/zip', ['.zip']],
  ['application/rtf', ['.rtf']],
  [`${OFFICE}.wordprocessingml.document`, ['.docx']],
  [`${OFFICE}.spreadsheetml.sheet`, ['.xlsx']],
  [`${OFFICE}.presentationml.presentation`, ['.pptx']],
  ['text/plain', ['.txt', '.text', '.log', '.md', '.csv']],
  ['text/csv', ['.csv']],
  ['text/vcard', ['.vcf']],
  ['text/x-vcard', ['.vcf']],
  ['text/calendar', ['.ics']],
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

/**
 * The name with an extension of the type, because Messages and the recipient rely on it; the type's own is appended
 * after another one. Unchanged if the type has no known extension.
 */
export function nameOfType(name: string, type: string): string {
  const endings = ENDINGS.get(type) ?? [''];
  const plain = name.toLowerCase();
  return endings.some((ending) => plain.endsWith(ending)) ? name : `${name}${endings[0] ?? ''}`;
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
  return [...ENDINGS].find(([, endings]) => endings.includes(ending))?.[0] ?? 'application/octet-stream';
}

/** Longest name in bytes: file systems take 255, and Messages adds to names. */
const LONGEST_BYTES = 180;
const LONGEST_EXTENSION = 16;

/** Everything that ends a path, hides a name, turns its direction round or is no character at all. */
const UNFIT = /[\p{Cc}\p{Cs}\p{Co}\u2028\u2029\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff/\\:]/gu;

/**
 * A file's name as it may stand on a disk and in front of a person: one path element, at most 180 bytes, without control
 * and invisible characters, not hidden; the original where that is fine. `fallback` where nothing is left.
 */
export function safeName(given: string, fallback = 'attachment'): string {
  const last = given.normalize('NFC').split(/[/\\]/).at(-1) ?? '';
  const name = last
    .replaceAll(UNFIT, '')
    .trim()
    .replace(/^\.+/, '')
    .replace(/[. ]+$/, '');
  if (name === '') return fallback;
  if (Buffer.byteLength(name) <= LONGEST_BYTES) return name;
  const dot = name.lastIndexOf('.');
  const extension = dot > 0 && name.length - dot <= LONGEST_EXTENSION ? name.slice(dot) : '';
  const room = LONGEST_BYTES - Buffer.byteLength(extension);
  return `${cut(name.slice(0, name.length - extension.length), room)}${extension}`;
}

/** The longest beginning of at most so many bytes that ends between characters. */
function cut(text: string, bytes: number): string {
  let kept = '';
  let size = 0;
  for (const character of text) {
    size += Buffer.byteLength(character);
    if (size > bytes) break;
    kept += character;
  }
  return kept.trimEnd();
}
