import { z } from 'zod';
import { INPUT_LIMITS } from '../../system/inputLimits.js';
import { readBinaryPlist } from './messageSummary.js';

const SCHEME = /^https?:\/\//i;
/** How many characters around a link are checked: more than a scheme and what is before it. */
const LOOKED_AT = 16;
/** What ends right before a link: nothing, or neither a letter nor a part of an address. */
const BEFORE = /(?:^|[^\w./:@%-])(?:https?:\/\/)?$/i;
/** What begins right behind it: punctuation perhaps, and then nothing, or what no address has in it. */
const AFTER = /^\/?[.,;:!?'")\]}>]*(?:$|[^\x21-\x7e])/;

/** What a text is cut into to find links that are spelt otherwise: printable ASCII without quotes, brackets and commas. */
const TOKEN = /[^\s"'<>()[\]{},\u0080-\uffff]+/g;
const TOKEN_END: ReadonlySet<string> = new Set('.,;:!?');
/** Longer than any real link; comparing truncated tokens would be useless. */
const LONGEST_LINK = INPUT_LIMITS.identifier;
/** Looked for from its last dot: from its beginning, a list of numbers with dots would be read once for each of them. */
const ANY_LINK = /https?:\/\/[^\s]|[a-z0-9-]\.[a-z]{2,}(?:\/|\b)/i;

/** Parameters by which services follow who shared a link; Messages and senders leave them out or add them. */
const TRACKING =
  /^(?:utm_\w+|fbclid|gclid|gbraid|wbraid|dclid|msclkid|yclid|twclid|ttclid|igshid|igsh|mc_[ce]id|si|ref_src|ref_url|_ga|_gl|mkt_tok)$/i;

/** Whether two links lead to the same page, as far as their spelling says: scheme, www, case of the host, a last slash, tracking. */
export function sameLink(one: string, other: string): boolean {
  if (one.length > LONGEST_LINK || other.length > LONGEST_LINK) return one === other;
  const [a, b] = [bare(one), bare(other)];
  return a !== '' && b !== '' && (a === b || canonical(one) === canonical(other));
}

/** Whether the very link is in the text, and not a longer one that begins as it does. */
export function mentionsLink(text: string, link: string): boolean {
  const wanted = bare(link);
  if (wanted === '' || wanted.length > LONGEST_LINK) return false;
  if (mentionsBare(text, wanted)) return true;
  const target = canonical(link);
  const host = target.split(/[/?]/)[0]?.toLowerCase() ?? '';
  if (!host.includes('.')) return false;
  for (const [token] of text.matchAll(TOKEN)) {
    if (token.length > LONGEST_LINK || !token.toLowerCase().includes(host)) continue;
    if (canonical(withoutEnd(token)) === target) return true;
  }
  return false;
}

/** Whether a text has any link in it. */
export function mentionsAnyLink(text: string): boolean {
  return ANY_LINK.test(text);
}

/** An archived rich link: its objects, among them what a reference (`UID`) of one names. */
const archive = z.object({ $objects: z.array(z.unknown()) });
const reference = z.object({ UID: z.number().int().min(0) });
const WEB_ADDRESS = /^https?:\/\/\S+$/i;

/**
 * The link in `payload_data`, an archive of NSKeyedArchiver: what was sent (`originalURL`) before where it led (`URL`), or the
 * first web address in it (imessage-exporter). Null where there is none or it cannot be read. Never throws.
 */
export function linkInPayload(payload: Buffer): string | null {
  const parsed = archive.safeParse(readBinaryPlist(payload));
  if (!parsed.success) return null;
  const { $objects: objects } = parsed.data;
  const named = (key: string) =>
    objects.flatMap((object) => {
      const address = followed(objects, object, [key, 'NS.relative']) ?? followed(objects, object, [key]);
      return address === null ? [] : [address];
    });
  const plain = objects.flatMap((object) => (isAddress(object) ? [object] : []));
  return [...named('originalURL'), ...named('URL'), ...plain][0] ?? null;
}

/** The web address that is reached from an object by these keys, each a reference to another object. */
function followed(objects: readonly unknown[], from: unknown, keys: readonly string[]): string | null {
  let at = from;
  for (const key of keys) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return null;
    const target = reference.safeParse(Object.entries(at).find(([name]) => name === key)?.[1]);
    if (!target.success) return null;
    at = objects[target.data.UID];
  }
  return isAddress(at) ? at : null;
}

function isAddress(value: unknown): value is string {
  return typeof value === 'string' && value.length <= LONGEST_LINK && WEB_ADDRESS.test(value);
}

/** Without the punctuation behind it. */
function withoutEnd(token: string): string {
  let end = token.length;
  while (end > 0 && TOKEN_END.has(token.charAt(end - 1))) end -= 1;
  return token.slice(0, end);
}

function mentionsBare(text: string, link: string): boolean {
  for (let at = text.indexOf(link); at >= 0; at = text.indexOf(link, at + link.length)) {
    const end = at + link.length;
    const isWhole = AFTER.test(text.slice(end, end + LOOKED_AT));
    if (isWhole && BEFORE.test(text.slice(Math.max(at - LOOKED_AT, 0), at))) return true;
  }
  return false;
}

/** Without what a sender may leave out, or Messages add. */
function bare(link: string): string {
  return link.trim().replace(SCHEME, '').replace(/\/$/, '');
}

/** A link in one spelling; as it is where it is none. */
function canonical(link: string): string {
  const plain = bare(link);
  const whole = `http://${plain}`;
  if (!URL.canParse(whole)) return plain;
  const url = new URL(whole);
  for (const name of [...url.searchParams.keys()]) if (TRACKING.test(name)) url.searchParams.delete(name);
  // An address of mail, or one with credentials, is another than that of its host.
  if (url.username !== '') return plain;
  const { hostname, port, pathname, search, hash } = url;
  const secure = port === '443' ? '' : port;
  return `${hostname.replace(/^www\./, '')}${secure === '' ? '' : `:${secure}`}${pathname.replace(/\/$/, '')}${search}${hash}`;
}

/** `message.balloon_bundle_id` of a link's preview. */
export const URL_BALLOON = 'com.apple.messages.URLBalloonProvider';

/** A link and its preview are written together, and the same preview once more 30 to 65 s later; peers look for 90 s (imsg #64). */
export const PREVIEW_WITHIN_MS = 90_000;
/** What decides about a preview may itself be decided by what is as long before it. */
export const NEIGHBOURS_WITHIN_MS = 2 * PREVIEW_WITHIN_MS;
/** A text without the link and the preview that names it as its text are written within 5 s (imsg #181). */
const TIED_WITHIN_MS = 5_000;
/** Behind a text and its preview a copy comes no sooner; a person who sends the link once more at once means it. */
const COPY_AFTER_MS = 20_000;

/** A message near a preview. `isPreview`: it is one itself, and its text is the link. Unix ms. */
export interface LinkNeighbour {
  rowId: number;
  guid: string;
  text: string;
  isPreview: boolean;
  sentAt: number | null;
}

/** The preview that is asked about. `replyToGuid`: of the text that it belongs to, or of the row before it. */
interface LinkRow {
  rowId: number;
  link: string;
  sentAt: number | null;
  replyToGuid: string | null;
}

/**
 * The role of a link row: a `message`; the `preview` of a link in a neighbouring text, or of one that was a message; or
 * the link of a text that lacks it (`joins` names that text's row).
 */
type LinkRole =
  | { kind: 'message' | 'preview' }
  | { kind: 'joined'; joins: Pick<LinkNeighbour, 'guid' | 'text'> };

const MESSAGE: LinkRole = { kind: 'message' };
const PREVIEW: LinkRole = { kind: 'preview' };

/** A row of the same link that was a message, or that a text accounts for; another near it may be but its copy. */
interface Anchor {
  sentAt: number | null;
  isOfText: boolean;
}

/**
 * Messages may write one link as several rows (docs/facts.md#links): a text and its preview, in either order; a preview tied to its
 * text by reply_to_guid, whose text may lack the link; the same preview twice. `neighbours` are other texts and links of the
 * same sender in the same chat. Each text accounts for one preview of a link, and what comes behind that counts as a copy only
 * while the sender writes nothing between: the same link sent twice with words between is two messages.
 */
export function roleOfLink(row: LinkRow, neighbours: readonly LinkNeighbour[]): LinkRole {
  const { link, rowId } = row;
  const tied = neighbours.find(({ guid, isPreview }) => !isPreview && guid === row.replyToGuid);
  if (link === '') return tied !== undefined && mentionsAnyLink(tied.text) ? PREVIEW : MESSAGE;
  const texts = neighbours.filter(({ isPreview, text }) => !isPreview && mentionsLink(text, link));
  // A preview shows where a shortened link leads: tied to its text, it need not be spelt as it is there.
  if (tied !== undefined && !texts.includes(tied) && mentionsAnyLink(tied.text)) texts.push(tied);
  const unclaimed = new Set(texts.filter((text) => isNear(text, row, PREVIEW_WITHIN_MS)));
  const claimed = new Set<LinkNeighbour>();
  let anchor: Anchor | undefined;
  const before = neighbours.filter((other) => other.rowId < rowId).sort((a, b) => a.rowId - b.rowId);
  for (const other of before) {
    if (!other.isPreview) {
      if (!claimed.has(other)) anchor = undefined;
    } else if (sameLink(other.text, link) && !(anchor !== undefined && isCopyOf(anchor, other))) {
      const text = [...unclaimed].find((one) => isNear(one, other, PREVIEW_WITHIN_MS));
      anchor = { sentAt: other.sentAt, isOfText: text !== undefined };
      if (text === undefined) continue;
      unclaimed.delete(text);
      claimed.add(text);
    }
  }
  if (unclaimed.size > 0) return PREVIEW;
  if (anchor !== undefined && isCopyOf(anchor, row)) return PREVIEW;
  const isJoined =
    tied !== undefined && tied.rowId < rowId && tied.text !== '' && isNear(tied, row, TIED_WITHIN_MS);
  const isDirectlyBehind = before.at(-1) === tied;
  return isJoined && isDirectlyBehind
    ? { kind: 'joined', joins: { guid: tied.guid, text: tied.text } }
    : MESSAGE;
}

/** The link of a preview's row: its words, or what `payload_data` has where it is without. Of any other row its words. */
export function linkOf(
  words: string,
  { balloonBundleId, payload }: { balloonBundleId: string | null; payload: Buffer | null },
): string {
  if (words !== '' || balloonBundleId !== URL_BALLOON || !payload) return words;
  return linkInPayload(payload) ?? '';
}

/** Whether a row of the same link is the one before it once more. */
function isCopyOf(anchor: Anchor, row: Pick<LinkNeighbour, 'sentAt'>): boolean {
  if (anchor.sentAt === null || row.sentAt === null) return false;
  const later = row.sentAt - anchor.sentAt;
  return later >= (anchor.isOfText ? COPY_AFTER_MS : 0) && later <= PREVIEW_WITHIN_MS;
}

function isNear(
  { sentAt }: Pick<LinkNeighbour, 'sentAt'>,
  row: Pick<LinkNeighbour, 'sentAt'>,
  within: number,
): boolean {
  return sentAt !== null && row.sentAt !== null && Math.abs(sentAt - row.sentAt) <= within;
}
