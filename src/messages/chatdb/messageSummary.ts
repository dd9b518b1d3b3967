import { z } from 'zod';
import { type DecodedBody, decodeAttributedBody } from './attributedBody.js';
import { readBinaryPlist } from './binaryPlist.js';
import { APPLE_EPOCH_MS } from './schema.js';

/** What Messages keeps about the changes of a message. Part numbers are those of `__kIMMessagePartAttributeName`. */
export interface MessageSummary {
  /** The parts that the message was written with; empty where that is not noted. */
  readonly original: ReadonlySet<number>;
  /** The parts that its sender took back. */
  readonly retracted: ReadonlySet<number>;
  /** The versions of each part that was edited, as archived, oldest first; the first of them is what was written at first. */
  readonly versions: ReadonlyMap<number, readonly Buffer[]>;
  /** When a part was last edited (Unix ms); null: never, or it is not noted. */
  readonly editedAt: number | null;
}

/** Nothing was changed. */
export const UNCHANGED: MessageSummary = {
  original: new Set(),
  retracted: new Set(),
  versions: new Map(),
  editedAt: null,
};

/** Parts of one message: macOS 27 libraries have up to 20. */
const MOST_PARTS = 1000;

const partNumber = z.number().int().min(0).max(MOST_PARTS);
/** A part as the key of a dictionary. */
const partKey = z
  .string()
  .regex(/^\d{1,4}$/)
  .transform(Number)
  .pipe(partNumber);
const version = z.object({ d: z.number().finite().catch(0), t: z.instanceof(Buffer) });
/** A list of which what is not understood is left out, so that one odd entry does not hide the others. */
const lenient = <T>(entry: z.ZodType<T>) =>
  z.array(z.unknown()).transform((all) =>
    all.flatMap((one) => {
      const parsed = entry.safeParse(one);
      return parsed.success ? [parsed.data] : [];
    }),
  );
const dictionary = z.record(z.string(), z.unknown());
const summary = z.object({
  otr: dictionary.optional().catch(undefined),
  rp: lenient(partNumber).optional().catch(undefined),
  ec: dictionary.optional().catch(undefined),
});

/**
 * Reads `message.message_summary_info`, a binary property list. Of its keys (imessage-exporter, BlueBubbles): `otr`, the ranges
 * of the original text by part; `rp`, the parts taken back; `ec`, for each edited part its versions as `{d, t}`, `d` in
 * seconds since 2001 and `t` a typedstream. What is absent, damaged or none of these changes nothing. Never throws.
 */
export function readMessageSummary(blob: Buffer | null): MessageSummary {
  if (blob === null) return UNCHANGED;
  const parsed = summary.safeParse(readBinaryPlist(blob));
  if (!parsed.success) return UNCHANGED;
  const { otr = {}, rp = [], ec = {} } = parsed.data;
  const versions = new Map<number, Buffer[]>();
  let last = 0;
  for (const [key, history] of Object.entries(ec)) {
    const part = partKey.safeParse(key);
    const all = lenient(version).safeParse(history);
    if (!part.success || !all.success || all.data.length === 0) continue;
    const inOrder = [...all.data].sort((a, b) => a.d - b.d);
    versions.set(
      part.data,
      inOrder.map(({ t }) => t),
    );
    // The first version is what was written, with the time of the message.
    for (const { d } of inOrder.slice(1)) last = Math.max(last, d);
  }
  const original = Object.keys(otr).flatMap((key) => {
    const part = partKey.safeParse(key);
    return part.success ? [part.data] : [];
  });
  return {
    original: new Set(original),
    retracted: new Set(rp),
    versions,
    editedAt: last > 0 ? Math.round(last * 1000) + APPLE_EPOCH_MS : null,
  };
}

/**
 * The body of a message by its history of edits alone, for one whose own body cannot be read; null unless each part that is
 * left has a version that can be read.
 */
export function bodyFromHistory({ original, retracted, versions }: MessageSummary): DecodedBody | null {
  const parts = [...(original.size > 0 ? original : versions.keys())]
    .filter((part) => !retracted.has(part))
    .sort((a, b) => a - b);
  let text = '';
  const runs: DecodedBody['runs'][number][] = [];
  for (const part of parts) {
    const newest = versions.get(part)?.at(-1);
    const body = newest === undefined ? null : decodeAttributedBody(newest);
    if (body === null || body.fallback || body.text === null) return null;
    const from = text.length;
    text += body.text;
    for (const run of body.runs)
      runs.push({ ...run, start: from + run.start, attributes: { ...run.attributes, messagePart: part } });
  }
  return parts.length === 0 ? null : { text, runs, fallback: false };
}
