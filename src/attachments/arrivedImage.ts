import { imageType, isHeic, safeName } from './contentTypes.js';
import type { ChatDbFile } from './ports.js';
import { readRealFile } from './readRealFile.js';

/** How Messages writes its own directory in chat.db, independent of its location. */
const MESSAGES_DIRECTORY = '~/Library/Messages/Attachments/';
const FAILED = new Set([6, 7]);
const ARRIVED = 5;

export interface Image {
  bytes: Buffer;
  name: string;
  type: string;
  isHeic: boolean;
}

/** `waiting`: it has not arrived, or not whole; `partial` is then what there is. `refused`: it will never do. */
type ArrivedImage =
  | { kind: 'image'; image: Image }
  | { kind: 'waiting'; why: string; partial?: Image }
  | { kind: 'refused'; why: string };

/**
 * Reads an image of an incoming message, if it has arrived whole: a real file below Messages' own directory, reached by
 * no link and no `..`. chat.db is not ours, so a path in it is a claim. Throws the file system's error.
 */
export async function arrivedImage(
  file: ChatDbFile,
  places: { attachmentsPath: string; home: string; maxBytes: number },
): Promise<ArrivedImage> {
  const { attachmentsPath, home, maxBytes } = places;
  if (file.sizeBytes > maxBytes) return tooLarge(file.sizeBytes, maxBytes);
  if (file.path === null) return { kind: 'waiting', why: 'Messages has not stored it yet' };
  if ((file.transferState ?? ARRIVED) !== ARRIVED && !FAILED.has(file.transferState ?? 0)) {
    return { kind: 'waiting', why: 'Messages is still fetching it' };
  }
  const path = localPath(file.path, attachmentsPath, home);
  const read = await readRealFile(path, [attachmentsPath], maxBytes);
  if (read.kind === 'missing') return { kind: 'waiting', why: 'it is not on this Mac' };
  if (read.kind === 'changing') return { kind: 'waiting', why: read.why };
  if (read.kind === 'refused') return read;
  const name = safeName(file.name ?? path);
  const image = {
    bytes: read.bytes,
    name,
    type: imageType(file.mimeType, name),
    isHeic: isHeic(file.mimeType, name),
  };
  const isWhole = read.bytes.length > 0 && (file.sizeBytes === 0 || read.bytes.length === file.sizeBytes);
  if (isWhole) return { kind: 'image', image };
  const why = `it has ${read.bytes.length} of ${file.sizeBytes} bytes`;
  return read.bytes.length === 0 ? { kind: 'waiting', why } : { kind: 'waiting', why, partial: image };
}

/** Joined by hand: `join` would resolve a `..` that is to be refused. */
function localPath(stored: string, attachmentsPath: string, home: string): string {
  const root = attachmentsPath.replace(/\/+$/, '');
  if (stored.startsWith(MESSAGES_DIRECTORY)) return `${root}/${stored.slice(MESSAGES_DIRECTORY.length)}`;
  return stored.startsWith('~/') ? `${home}/${stored.slice(2)}` : stored;
}

function tooLarge(size: number, maxBytes: number): ArrivedImage {
  return { kind: 'refused', why: `it has ${size} bytes; the limit is ${maxBytes} (attachments.max_bytes)` };
}
