import { statSync } from 'node:fs';
import { basename } from 'node:path';
import type { SendRecord, SentFile } from '../model/sending.js';

/** By its name, or by its size where Messages gave it another name. */
export function isFileOf(send: SendRecord, file: SentFile): boolean {
  return isNamedLike(send, file) || (file.sizeBytes > 0 && file.sizeBytes === sizeOf(send));
}

/** By its name, and by its size as far as both are known. */
export function isSameFile(send: SendRecord, file: SentFile): boolean {
  if (!isNamedLike(send, file)) return false;
  const size = sizeOf(send);
  return file.sizeBytes <= 0 || size === undefined || file.sizeBytes === size;
}

/** Undefined: it is gone, or the disk does not say. */
function sizeOf({ file }: SendRecord): number | undefined {
  try {
    return statSync(file ?? '', { throwIfNoEntry: false })?.size;
  } catch {
    return undefined;
  }
}

/** Whether a sent file has the name of the text's file. */
export function isNamedLike({ file }: SendRecord, { name }: SentFile): boolean {
  return name !== null && name.normalize('NFC') === basename(file ?? '').normalize('NFC');
}
