/** `message.balloon_bundle_id` of a link's preview. */
export const URL_BALLOON = 'com.apple.messages.URLBalloonProvider';

/** A link and its preview are written together; peers look for 90 s (imsg). */
export const PREVIEW_WITHIN_MS = 90_000;

/** A message near a preview. `isPreview`: it is one itself, and its text is the link. */
export interface LinkNeighbour {
  rowId: number;
  text: string;
  isPreview: boolean;
}

const SCHEME = /^https?:\/\//i;
/** So many characters beside a link are looked at: more than a scheme and what stands before it. */
const LOOKED_AT = 16;
/** What ends right before a link: nothing, or neither a letter nor a part of an address. */
const BEFORE = /(?:^|[^\w./:@%-])(?:https?:\/\/)?$/i;
/** What begins right behind it: punctuation perhaps, and then nothing, or what no address has in it. */
const AFTER = /^\/?[.,;:!?'")\]}>]*(?:$|[^\x21-\x7e])/;

/**
 * Whether a row of this link is but the preview of a link in a text beside it: Messages may write the two as rows of their own
 * (macos-facts C.3). Each text accounts for one preview, so that the same link sent once more is not taken for one.
 */
export function isPreviewOf(link: string, rowId: number, neighbours: readonly LinkNeighbour[]): boolean {
  const wanted = bare(link);
  if (wanted === '') return false;
  const texts = neighbours.filter((other) => !other.isPreview && mentions(other.text, wanted));
  const before = neighbours.filter(
    (other) => other.isPreview && other.rowId < rowId && bare(other.text) === wanted,
  );
  return before.length < texts.length;
}

/** Whether the very link stands in the text, and not a longer one that begins as it does. */
function mentions(text: string, link: string): boolean {
  for (let at = text.indexOf(link); at >= 0; at = text.indexOf(link, at + 1)) {
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
