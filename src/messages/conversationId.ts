import {
  type CountryCode,
  isSupportedCountry,
  type PhoneNumber,
  parsePhoneNumberFromString as parsePhoneNumber,
} from 'libphonenumber-js/min';
import { INPUT_LIMITS } from '../system/inputLimits.js';

/** `unknown`: a plain name such as an alphanumeric sender; only chat.db shows what it is. */
type ThreadKind = 'direct' | 'group' | 'unknown';

/** A thread id or chat guid taken apart. `service` is null for a bare identifier; `any` is macOS 26's. */
interface ParsedThreadId {
  service: string | null;
  kind: ThreadKind;
  identifier: string;
}

const GUID = /^([^;]*);([+-]);(.+)$/s;
/** chat_identifier of a group: `chat` and digits; on macOS 26 also bare 32-hex or a UUID. No person is named so. */
const GROUP_IDENTIFIER = /^(?:chat\d+|[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i;
/** How people and address books write a number: any script's digits, any blank, dash or bracket; a plus only in front. */
const PHONE =
  /^[(\uff08]?[+\uff0b\ufe62]?[\p{Nd}\s().\-/\u2010-\u2015\u2212\uff08\uff09\uff0d\uff0e\uff0f]*$/u;
const HAS_DIGIT = /\p{Nd}/u;
/** Marks of direction and width that copying from Contacts or a web page leaves around a number or an address. */
const INVISIBLE = /[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]/g;
const EMAIL = /^[^\s;@]+@[^\s;@]+$/;
const URI = /^(tel|sms|mailto):(.*)$/is;
/** In some regions five digits are a possible subscriber number; to Messages they are always a short code. */
const LONGEST_SHORT_CODE = 6;
/** Seven digits without a plus are a local number, which only the neighbours could dial, never an international one. */
const LONGEST_LOCAL_NUMBER = 7;
const NORTH_AMERICAN = /^[2-9]\d\d[2-9]\d{6}$/;
/** Including all spaces and brackets. A longer value is not parsed: it cannot be a phone number. */
const LONGEST_NUMBER = 64;
/** What is dialled for a plus in most of the world and in North America; other regions' own is in the metadata. */
const DIALLING_PREFIXES = ['00', '011'] as const;
/** A trunk prefix in brackets, to be left out when calling from abroad: "+44 (0)7967 960994". */
const BRACKETED_TRUNK = /[(\uff08]\s*(?:0|8|06|01)\s*[)\uff09]/u;

/**
 * Calling codes that several regions share, with the one used for parsing: the small metadata cannot distinguish them,
 * and reads Britain as Guernsey.
 */
const MAIN_REGION: Readonly<Record<string, CountryCode>> = {
  '1': 'US',
  '7': 'RU',
  '39': 'IT',
  '44': 'GB',
  '47': 'NO',
  '61': 'AU',
  '212': 'MA',
  '262': 'RE',
  '290': 'SH',
  '358': 'FI',
  '590': 'GP',
  '599': 'CW',
};

/** Takes any thread id or chat guid apart. Total: what has no known form is an `unknown` identifier. */
export function parseThreadId(threadIdOrGuid: string): ParsedThreadId {
  const trimmed = threadIdOrGuid.trim();
  const guid = GUID.exec(trimmed);
  const service = guid?.[1] ?? null;
  const identifier = (guid?.[3] ?? trimmed).trim();
  // The shape of a group's name is stronger than the sign: `any;-;chat123` is no person (imsg #90).
  if (GROUP_IDENTIFIER.test(identifier)) return { service, kind: 'group', identifier };
  if (guid !== null) return { service, kind: guid[2] === '+' ? 'group' : 'direct', identifier };
  return { service, kind: isAddress(identifier) ? 'direct' : 'unknown', identifier };
}

/**
 * The canonical key of a conversation: equal for every `thread_id` form of it (protocol §4), and itself one of
 * them. Direct: E.164 number, lower-case e-mail address, or the identifier as it is (short code, alphanumeric
 * sender, `urn:biz:…`, suffixes such as `(smsft)`). Group: its chat_identifier, which is opaque.
 * `region` (ISO 3166, from `regionOf`) reads numbers that were written nationally. Idempotent.
 */
export function conversationKey(threadIdOrGuid: string, region: string): string {
  const { kind, identifier } = parseThreadId(threadIdOrGuid);
  if (kind !== 'group') {
    const address = canonicalAddress(identifier, region);
    // A name that looks like a guid would be taken apart when the key is read again.
    return GUID.test(address) ? `any;-;${address}` : address;
  }
  // Never seen, but a group named like a person must not count as that person.
  return isAddress(identifier) || GUID.test(identifier) ? `any;+;${identifier}` : identifier;
}

/** Whether a canonical key names a group by its form. */
export function isGroupKey(key: string): boolean {
  return parseThreadId(key).kind === 'group';
}

/** The region whose national numbers are like this one's, `US` if the number shows none. */
export function regionOf(e164: string): string {
  const number = parsePhoneNumber(e164);
  if (number === undefined) return 'US';
  return MAIN_REGION[number.countryCallingCode] ?? number.country ?? 'US';
}

/** Parsing a number costs some 30 µs and the same few people write all day. Bounded in characters: some 256 KiB. */
const MEMO_CHARACTERS = 128 * 1024;
const memo = new Map<string, string>();
let memoised = 0;

/**
 * A person's address: E.164, lower-case e-mail, or as it is. Idempotent. A number without a plus is read in this order:
 * up to six digits are a short code; a valid national number of `region` (with or without its trunk prefix) or one
 * dialled from there with its prefix for abroad; an international number whose plus is missing or was written 00 or
 * 011; a possible number of `region`; else its digits. So a number that is valid both ways is read as one of `region`.
 */
export function canonicalAddress(address: string, region: string): string {
  // No such address exists, and nested URIs would be unbounded work.
  if (address.length > INPUT_LIMITS.identifier) return address.trim();
  const trimmed = unwrapped(address);
  if (EMAIL.test(trimmed)) return trimmed.toLowerCase();
  if (!isNumber(trimmed)) return trimmed;
  const known = `${region} ${trimmed}`;
  const remembered = memo.get(known);
  if (remembered !== undefined) return remembered;
  const canonical = canonicalNumber(trimmed, region);
  memoised += known.length + canonical.length;
  if (memoised > MEMO_CHARACTERS) {
    memo.clear();
    memoised = known.length + canonical.length;
  }
  memo.set(known, canonical);
  return canonical;
}

function isNumber(written: string): boolean {
  return written.length <= LONGEST_NUMBER && PHONE.test(written) && HAS_DIGIT.test(written);
}

/** Whether a canonical address is a phone number or an e-mail address, at which a person can be reached. */
export function isPersonAddress(address: string): boolean {
  return EMAIL.test(address) || /^\+\d+$/.test(address);
}

/** The address in a `tel:` (RFC 3966), `sms:` or `mailto:` URI; anything else but for invisible marks. */
function unwrapped(address: string): string {
  for (let plain = visible(address); ; ) {
    const [, scheme, rest] = URI.exec(plain) ?? [];
    if (scheme === undefined || rest === undefined) return plain;
    plain = visible(scheme.toLowerCase() === 'mailto' ? (rest.split('?')[0] ?? '') : subscriber(rest));
  }
}

function visible(written: string): string {
  return written.replace(INVISIBLE, '').trim();
}

/** The number that a `tel:` URI names. One with an extension stays whole: no message reaches what is behind a switchboard. */
function subscriber(rest: string): string {
  const [number = '', ...parameters] =
    rest.replaceAll(/%2b/gi, '+').replaceAll(/%20/g, ' ').split('?')[0]?.split(';') ?? [];
  const parameter = (name: string) =>
    parameters.find((one) => one.toLowerCase().startsWith(`${name}=`))?.slice(name.length + 1);
  if (parameter('ext') !== undefined) return [number, ...parameters].join(';');
  const context = parameter('phone-context');
  return context?.startsWith('+') && !number.trim().startsWith('+') ? `${context}${number}` : number;
}

function canonicalNumber(written: string, region: string): string {
  const digits = digitsOf(written);
  if (/^[(\uff08]?[+\uff0b\ufe62]/u.test(written)) return internationalNumber(written, digits);
  if (digits.length <= LONGEST_SHORT_CODE) return digits;
  const country = isSupportedCountry(region) ? region : undefined;
  const national = country === undefined ? undefined : parsePhoneNumber(digits, country);
  if (national !== undefined && isNational(national)) return national.number;
  for (const international of internationalReadings(digits)) {
    const number = parsePhoneNumber(international);
    if (number?.isValid()) return number.number;
  }
  return national?.isPossible() ? national.number : digits;
}

/** Valid; or of the form of a North American number, for area codes are opened faster than metadata is renewed. */
function isNational(number: PhoneNumber): boolean {
  if (number.isValid()) return true;
  return number.countryCallingCode === '1' && NORTH_AMERICAN.test(number.nationalNumber);
}

function internationalNumber(written: string, digits: string): string {
  const number = parsePhoneNumber(`+${digits}`);
  if (number?.isValid()) return number.number;
  const candidates = [digitsOf(written.replace(BRACKETED_TRUNK, '')), digits.replace(/^00/, '')];
  for (const candidate of candidates) {
    const better = candidate === digits ? undefined : parsePhoneNumber(`+${candidate}`);
    if (better?.isValid()) return better.number;
  }
  // Not the parsed value: in an invalid number, a leading zero would be read as a trunk prefix each time.
  return `+${digits}`;
}

function internationalReadings(digits: string): string[] {
  const plain = digits.length > LONGEST_LOCAL_NUMBER && !digits.startsWith('0') ? [`+${digits}`] : [];
  const dialled = DIALLING_PREFIXES.filter((prefix) => digits.startsWith(prefix));
  return [...plain, ...dialled.map((prefix) => `+${digits.slice(prefix.length)}`)];
}

/** The digits of a number as ASCII, whatever script they are in. */
function digitsOf(written: string): string {
  return written.replaceAll(/\P{Nd}/gu, '').replaceAll(/[^0-9]/gu, asciiDigit);
}

/** Unicode keeps the ten decimal digits of every script in a row, 0 first; rows that touch are whole ones. */
function asciiDigit(digit: string): string {
  const code = digit.codePointAt(0) ?? 0;
  let before = 0;
  while (/^\p{Nd}$/u.test(String.fromCodePoint(code - before - 1))) before++;
  return String(before % 10);
}

function isAddress(identifier: string): boolean {
  return EMAIL.test(identifier) || isNumber(identifier) || /^(?:urn|tel|sms|mailto):/i.test(identifier);
}
