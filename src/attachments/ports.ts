import type { Photo, PhotoResult } from '../model/incoming.js';

/** A file of an incoming message as chat.db has it now; `path` as stored there, often with `~`. */
export interface ChatDbFile {
  path: string | null;
  name: string | null;
  mimeType: string | null;
  /** What it will have when it has arrived; 0 if that is not known. */
  sizeBytes: number;
  /** 5: arrived; 6: failed (docs/facts.md#attachments). Null where chat.db does not say. */
  transferState: number | null;
}

export interface IncomingFiles {
  /** `gone`: chat.db has no such file any more. `unreadable`: it cannot be asked now. */
  find(
    messageGuid: string,
    attachmentGuid: string,
  ): { kind: 'found'; file: ChatDbFile } | { kind: 'gone' } | { kind: 'unreadable' };
}

export interface PhotoPosting {
  /** Ends by its own deadline; never rejects. */
  uploadPhoto(photo: Photo): Promise<PhotoResult>;
}
