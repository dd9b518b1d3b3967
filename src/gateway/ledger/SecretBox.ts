import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { EdgeError } from '../../errors.js';

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Says how what follows was sealed, so that it can change. */
const FORM = 'v1.';

/**
 * Seals secrets for the database with AES-256-GCM, so that a copy of the database is no key. What was sealed for one `owner` (such as
 * the id of an agent or a webhook) opens for that owner alone: a row that was exchanged with another one does not open.
 * It seals with one key, and opens with the keys before it too: so the key can be changed while everything runs.
 */
export class SecretBox {
  private keys: readonly Buffer[];

  /** `before`: the keys that it had. Throws EdgeError `secret_missing` for a key that is not 32 bytes long. */
  constructor(key: Buffer, before: readonly Buffer[] = []) {
    this.keys = [key, ...before];
    const wrong = this.keys.find(({ length }) => length !== KEY_BYTES);
    if (wrong === undefined) return;
    throw new EdgeError(
      'secret_missing',
      `The key of the gateway has ${wrong.length} bytes instead of ${KEY_BYTES}.`,
      'Make one with: openssl rand -base64 32',
    );
  }

  /** Seals with this key from now on; what was sealed before opens still. */
  adopt(key: Buffer): void {
    if (this.keys[0]?.equals(key) !== true) this.keys = [key, ...this.keys];
  }

  /** A text that shows nothing of the secret; sealing twice gives two texts. */
  seal(secret: string, owner: string): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.key, nonce).setAAD(Buffer.from(owner));
    const sealed = Buffer.concat([nonce, cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return FORM + sealed.toString('base64url');
  }

  /** Throws EdgeError `secret_missing` where it was sealed with another key, for another owner, or was changed. */
  open(sealed: string, owner: string): string {
    for (const key of this.keys) {
      const secret = openedBy(key, sealed, owner);
      if (secret !== undefined) return secret;
    }
    throw unopened();
  }

  /** Whether it opens. */
  opens(sealed: string, owner: string): boolean {
    return this.keys.some((key) => openedBy(key, sealed, owner) !== undefined);
  }

  /** The same secret under the key that seals now; undefined if it is that already. Throws as `open` does. */
  resealed(sealed: string, owner: string): string | undefined {
    if (openedBy(this.key, sealed, owner) !== undefined) return undefined;
    return this.seal(this.open(sealed, owner), owner);
  }

  private get key(): Buffer {
    const [key] = this.keys;
    if (key === undefined) throw unopened();
    return key;
  }
}

function openedBy(key: Buffer, sealed: string, owner: string): string | undefined {
  const bytes = Buffer.from(sealed.slice(FORM.length), 'base64url');
  if (!sealed.startsWith(FORM) || bytes.length < NONCE_BYTES + TAG_BYTES) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES))
    .setAAD(Buffer.from(owner))
    .setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
  const opened = decipher.update(bytes.subarray(NONCE_BYTES, bytes.length - TAG_BYTES));
  try {
    return Buffer.concat([opened, decipher.final()]).toString('utf8');
  } catch {
    // Another key sealed it, or it was changed: its tag does not fit.
    return undefined;
  }
}

function unopened(): EdgeError {
  return new EdgeError(
    'secret_missing',
    'A secret in the database cannot be decrypted with the key of the gateway.',
    'Start the gateway with the key that it had when the secret was stored.',
  );
}
