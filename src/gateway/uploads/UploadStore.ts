import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';

/** Where the bytes of uploaded files are kept. Several replicas share one. Every failure is an EdgeError. */
export interface UploadStore {
  /** Makes it ready before anything is kept. */
  prepare(): Promise<void>;
  /**
   * Keeps a file; durable when it resolves. Gives its name within the store, the same for the same file of the same agent, so that a
   * repeat after a crash replaces what it left.
   */
  keep(agentId: string, guid: string, bytes: Buffer): Promise<string>;
  /** The bytes of a file by its name, as a stream; undefined: it does not exist. The caller ends it within its own deadline. */
  read(name: string): Promise<Readable | undefined>;
  /** Removes a file by its name. Harmless to repeat. */
  remove(name: string): Promise<void>;
}

/** The name of a file within a store, which reveals nothing about its content. */
export function uploadName(agentId: string, guid: string): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([agentId, guid]))
    .digest('hex');
  return `${digest.slice(0, 2)}/${digest}`;
}
