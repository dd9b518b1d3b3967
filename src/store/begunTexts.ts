import { hash } from 'node:crypto';
import { z } from 'zod';
import type { SendRecord } from '../model/sending.js';

/** So many are named in the witness, the newest: it has room for no more beside the rest. */
const MOST = 40;

/**
 * The marks of texts that were begun to be sent and have no row in chat.db yet: whatever copy of the store is put back, Messages may
 * still write it.
 */
export const begunSchema = z.array(z.string());

/** What tells of a text; none of its words. */
export function markOfText({
  conversation,
  text,
  file,
}: Pick<SendRecord, 'conversation' | 'text' | 'file'>): string {
  const name = file === null ? '' : (file.split('/').at(-1) ?? '');
  return hash('sha256', JSON.stringify([conversation, text, name]), 'base64url').slice(0, 6);
}

/** Those of an earlier time, and these texts behind them. */
export function begunTexts(earlier: readonly string[], texts: readonly SendRecord[]): readonly string[] {
  return [...new Set([...earlier, ...texts.map(markOfText)])].slice(-MOST);
}
