import { filterOnce } from './filterOnce.js';
import { plainForms } from './plainForm.js';
import {
  DETECTORS,
  type Effort,
  MOST_EFFORT,
  PRIVATE_KINDS,
  type PrivateKind,
  type Stretch,
} from './privacyDetectors.js';

/** A text without what is private; `fields` names what was taken out, each once. */
export interface Filtered {
  readonly text: string;
  readonly fields: readonly PrivateKind[];
}

/** Takes out what is private. Pure and idempotent; a text that holds nothing private comes back as it is. */
export type PrivacyFilter = (text: string) => Filtered;

/**
 * The filter for these kinds; undefined for none, so that nobody filters for nothing. Each find becomes its kind in
 * brackets, `[phone]`; of finds that overlap, the kind that comes first in PRIVATE_KINDS names the whole.
 */
export function privacyFilter(kinds: readonly PrivateKind[], region: string): PrivacyFilter | undefined {
  const wanted = PRIVATE_KINDS.filter((kind) => kinds.includes(kind));
  if (wanted.length === 0) return undefined;
  return filterOnce((text) => takenOut(text, wanted, region, { left: MOST_EFFORT }));
}

/** What is left of a text when these kinds, in the order of PRIVATE_KINDS, are taken out; `effort` is spent on it. */
export function takenOut(
  text: string,
  kinds: readonly PrivateKind[],
  region: string,
  effort: Effort,
): Filtered {
  const fields = new Set<PrivateKind>();
  let current = text;
  // Taking something out may leave neighbours that only now read as something. Each round takes out digits or an @,
  // and puts in neither, so there is a last one.
  for (;;) {
    const finds = findAll(current, kinds, region, effort);
    if (finds.length === 0) break;
    for (const { kind } of finds) fields.add(kind);
    current = replaced(current, finds);
  }
  return { text: current, fields: kinds.filter((kind) => fields.has(kind)) };
}

/** The filter for the kinds as they are set now. */
export function livePrivacyFilter(
  kinds: () => readonly PrivateKind[],
  region: string,
): () => PrivacyFilter | undefined {
  let madeFor: readonly PrivateKind[] = [];
  let filter: PrivacyFilter | undefined;
  return () => {
    if (kinds() !== madeFor) {
      madeFor = kinds();
      filter = privacyFilter(madeFor, region);
    }
    return filter;
  };
}

interface Find extends Stretch {
  readonly kind: PrivateKind;
}

/** In the order of the text, none overlapping another; in units of the original. */
function findAll(text: string, kinds: readonly PrivateKind[], region: string, effort: Effort): Find[] {
  const finds = plainForms(text).flatMap(({ plain, starts, ends }) =>
    kinds.flatMap((kind) =>
      DETECTORS[kind](plain, region, effort).map(({ from, to }) => ({
        kind,
        from: starts[from] ?? 0,
        to: ends[to - 1] ?? 0,
      })),
    ),
  );
  const merged: Find[] = [];
  for (const find of finds.toSorted((a, b) => a.from - b.from)) {
    const last = merged.at(-1);
    if (last === undefined || find.from >= last.to) merged.push(find);
    else
      merged[merged.length - 1] = {
        kind: firstOf(last.kind, find.kind),
        from: last.from,
        to: Math.max(last.to, find.to),
      };
  }
  return merged;
}

function firstOf(a: PrivateKind, b: PrivateKind): PrivateKind {
  return PRIVATE_KINDS.indexOf(a) <= PRIVATE_KINDS.indexOf(b) ? a : b;
}

function replaced(text: string, finds: readonly Find[]): string {
  let result = '';
  let at = 0;
  for (const { kind, from, to } of finds) {
    result += `${text.slice(at, from)}[${kind}]`;
    at = to;
  }
  return result + text.slice(at);
}
