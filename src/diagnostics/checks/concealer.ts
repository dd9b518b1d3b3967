import { redactor } from '../../logging/formatLine.js';
import { maskContacts, maskHandle } from '../../logging/mask.js';

/** An agent id is made of the digits of a phone. */
const AGENT_ID = /\bedge_(\d{7,15})\b/g;

/**
 * Makes a text safe to share: no secret, no full phone number (also in an agent id or without a plus) or e-mail
 * address, and no user name in a path.
 */
export function concealer(secrets: readonly string[], homeDir: string): (text: string) => string {
  const conceal = redactor(secrets);
  return (text) =>
    maskContacts(conceal(text).replaceAll(homeDir === '/' ? '//' : homeDir, '~'))
      .replace(/\/Users\/[^/\s]+/g, '/Users/•••')
      .replace(AGENT_ID, (_id, digits: string) => `edge_${maskHandle(digits)}`);
}
