import type { SendRecord, TextRequest } from '../model/sending.js';

/** What begins the id of a text that is our own business: a canary, the selftest. */
const OWN = 'own:';
/** Behind everything that somebody waits for. */
const LAST = 4;

/** A text to ourselves. `id` must be fresh. */
export function ownText(
  id: string,
  text: string,
  to: { readonly address: string; readonly conversation: string },
): TextRequest {
  const { address, conversation } = to;
  return {
    id: `${OWN}${id}`,
    conversation,
    threadId: address,
    text,
    role: 'message',
    priority: LAST,
    pauseMs: 0,
  };
}

/** Whether a text is our own business, of which the backend is told nothing. */
export function isOwnText({ id }: Pick<SendRecord, 'id'>): boolean {
  return id.startsWith(OWN);
}
