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
