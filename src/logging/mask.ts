/** The replacement for the hidden middle; always the same, so that it does not reveal the length. */
const HIDDEN = '•••';

/** At most so many digits of a number show at its end, and one at its beginning. */
const SHOWN_RUN = 4;

/**
 * A handle or thread id fit for a log line: enough to distinguish people, not enough to write to them.
 * - numbers: `+13105551234` → `+1•••1234`; the fewer digits, the less is kept
 * - addresses: `jane@example.com` → `j•••@example.com`
 * - thread ids keep their prefix: `iMessage;-;+13105551234` → `iMessage;-;+1•••1234`
 * - group ids are kept: `chat831045551234`, `iMessage;+;chat831045551234`
 * Pure and total: anything else keeps at most two characters, and no digit.
 */
export function maskHandle(handle: string): string {
  const [, prefix = '', style = '', rest = handle] = /^([A-Za-z]*;([-+]);)(.*)$/s.exec(handle) ?? [];
  if (isGroup(rest, style)) return `${prefix}${rest}`;
  return `${prefix}${maskPlain(rest)}`;
}

/** `chat` and digits, or behind `;+;` any word with a letter in it (some group ids are hex). */
function isGroup(id: string, style: string): boolean {
  return /^chat\d+$/.test(id) || (style === '+' && /^(?=.*[a-z])[\w-]+$/i.test(id));
}

function maskPlain(handle: string): string {
  const at = handle.lastIndexOf('@');
  if (at > 0) return maskAddress(handle.slice(0, at), handle.slice(at + 1));
  if (/^(?:tel:)?[\p{Nd}\s()+./-]*$/u.test(handle) && /\p{Nd}/u.test(handle)) return maskNumber(handle);
  const [head = ''] = /^[^\p{Nd}]{0,2}/u.exec(handle) ?? [];
  return handle === head ? HIDDEN : `${head}${HIDDEN}`;
}

function maskAddress(local: string, domain: string): string {
  const [first = ''] = local;
  const head = [...local].length > 1 && !/\p{Nd}/u.test(first) ? first : '';
  const telling = (domain.match(/\p{Nd}/gu) ?? []).length >= 7;
  return `${head}${HIDDEN}@${telling ? domain.replace(/\p{Nd}+/gu, HIDDEN) : domain}`;
}

/** Of ten digits and more the first and the last four are kept; of fewer, fewer; of a short code, its last. */
function maskNumber(handle: string): string {
  const digits = handle.match(/\p{Nd}/gu) ?? [];
  const behind = Math.max(0, Math.min(SHOWN_RUN, Math.ceil((digits.length - 3) / 2)));
  const front = digits.length >= 10 ? 1 : 0;
  const plus = handle.trimStart().startsWith('+') ? '+' : '';
  const tail = behind === 0 ? '' : digits.slice(-behind).join('');
  return `${plus}${digits.slice(0, front).join('')}${HIDDEN}${tail}`;
}

const ADDRESS = /[^\s@<>"',;:()=]+@[^\s@<>"',;:()]+\.[^\s@<>"',;:()]+/g;
const NUMBER = /\+\d[\d ()./-]{5,}\d/g;
/** As people write it, without a country code. */
const PARTED_NUMBER = /(?<![\w.-])\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?![\w.-])/g;
/** With the trunk prefix of most countries: `0151 12345678`, `089/123456`. */
const TRUNK_NUMBER = /(?<![\w.:/-])0\d{1,4}[ /-]\d[\d -]{3,}\d(?![\w.:-])/g;
/** Other programs write numbers without their plus. */
const BARE_NUMBER = /(?<![\w.-])\d{10,15}(?![\w.-])/g;

/** A text of any kind with every phone number and e-mail address in it masked as `maskHandle` does. Pure and total. */
export function maskContacts(text: string): string {
  return [ADDRESS, NUMBER, PARTED_NUMBER, TRUNK_NUMBER, BARE_NUMBER].reduce(
    (masked, form) => masked.replace(form, maskHandle),
    text,
  );
}
