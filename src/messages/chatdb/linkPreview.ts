import { linkInPayload, mentionsAnyLink, mentionsLink, sameLink } from './links.js';

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

/** The preview that is asked about. `replyToGuid`: of the text that it belongs to, or of whatever stands before it. */
interface LinkRow {
  rowId: number;
  link: string;
  sentAt: number | null;
  replyToGuid: string | null;
}

/**
 * What a row of a link is: a `message`; the `preview` of a link in a text beside it, or of one that was a message; or the
 * link of a text that does not have it (`joins` names that text's row).
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
