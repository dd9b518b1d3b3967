import {
  type CountryCode,
  isSupportedCountry,
  parsePhoneNumberFromString as parsePhoneNumber,
} from 'libphonenumber-js/min';

/** `unknown`: a bare name such as an alphanumeric sender; only chat.db can tell what it is. */
export type ThreadKind = 'direct' | 'group' | 'unknown';

/** A thread id or chat guid taken apart. `service` is null for a bare identifier; `any` is macOS 26's. */
export interface ParsedThreadId {
  service: string | null;
  kind: ThreadKind;
  identifier: string;
}

const GUID = /^([^;]*);([+-]);(.+)$/s;
/** chat_identifier of a group: `chat` and digits; on macOS 26 also bare 32-hex or a UUID. No person is named so. */
const GROUP_IDENTIFIER = /^(?:chat\d+|[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i;
const PHONE = /^\+?[\d\s().\-\u00ad\u2010-\u2015\u2212/]+$/;
const EMAIL = /^[^\s;@]+@[^\s;@]+$/;
/** In some regions five digits are a possible subscriber number; to Messages they are always a short code. */
const LONGEST_SHORT_CODE = 6;

/**
 * Calling codes that several regions share, with the one that their numbers are read by: the small metadata
 * cannot tell them apart, and takes Britain for Guernsey.
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
  if (kind !== 'group') return canonicalAddress(identifier, region);
  // Never seen, but a group named like a person must not be taken for that person.
  return isAddress(identifier) ? `any;+;${identifier}` : identifier;
}

/** Whether a canonical key names a group by its form. */
export function isGroupKey(key: string): boolean {
  return parseThreadId(key).kind === 'group';
}

/** The region whose national numbers are like this one's, `US` for a number that tells none. */
export function regionOf(e164: string): string {
  const number = parsePhoneNumber(e164);
  if (number === undefined) return 'US';
  return MAIN_REGION[number.countryCallingCode] ?? number.country ?? 'US';
}

/** Parsing a number costs some 30 µs and the same few people write all day. */
const MEMO_SIZE = 4096;
const memo = new Map<string, string>();

/** A person's address: E.164, lower-case e-mail, or as it is. Idempotent. */
export function canonicalAddress(address: string, region: string): string {
  const trimmed = address.trim().replace(/^(?:tel|mailto):/i, '');
  if (EMAIL.test(trimmed)) return trimmed.toLowerCase();
  if (!PHONE.test(trimmed)) return trimmed;
  const known = `${region} ${trimmed}`;
  const remembered = memo.get(known);
  if (remembered !== undefined) return remembered;
  if (memo.size >= MEMO_SIZE) memo.clear();
  const canonical = canonicalNumber(trimmed, region);
  memo.set(known, canonical);
  return canonical;
}

function canonicalNumber(written: string, region: string): string {
  const digits = written.replace(/\D/g, '');
  const international = written.startsWith('+');
  if (!international && digits.length <= LONGEST_SHORT_CODE) return digits === '' ? written : digits;
  const country = isSupportedCountry(region) ? region : undefined;
  const number = parsePhoneNumber(international ? `+${digits}` : digits, country);
  if (number === undefined || (!international && !number.isPossible())) {
    return international ? `+${digits}` : digits;
  }
  return number.number;
}

function isAddress(identifier: string): boolean {
  return EMAIL.test(identifier) || PHONE.test(identifier) || /^(?:urn|tel|mailto):/i.test(identifier);
}
