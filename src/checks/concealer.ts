import { maskHandle } from '../logging/mask.js';
import { redactor } from '../logging/redact.js';

const ADDRESS = /[^\s@<>"',;:()=]+@[^\s@<>"',;:()]+\.[^\s@<>"',;:()]+/g;
const NUMBER = /\+\d[\d ().-]{5,}\d/g;
/** As people write it, without a country code. */
const PARTED_NUMBER = /(?<![\w.-])\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?![\w.-])/g;
/** An agent id is made of the digits of a phone; other programs write numbers without their plus. */
const AGENT_ID = /\bedge_(\d{7,15})\b/g;
const BARE_NUMBER = /(?<![\w.-])\d{10,15}(?![\w.-])/g;

/**
 * What makes a text fit to be shown to others: no secret, no full phone number (also where it is in an agent id or
 * stands without a plus) or e-mail address, and no name of a user in a path.
 */
export function concealer(secrets: readonly string[], homeDir: string): (text: string) => string {
  const conceal = redactor(secrets);
  return (text) =>
    conceal(text)
      .replaceAll(homeDir === '/' ? '//' : homeDir, '~')
      .replace(ADDRESS, maskHandle)
      .replace(NUMBER, maskHandle)
      .replace(PARTED_NUMBER, maskHandle)
      .replace(/\/Users\/[^/\s]+/g, '/Users/•••')
      .replace(AGENT_ID, (_id, digits: string) => `edge_${maskHandle(digits)}`)
      .replace(BARE_NUMBER, maskHandle);
}
