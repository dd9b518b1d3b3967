import { closest, distance } from 'fastest-levenshtein';

/** The work grows with the length, and no setting is nearly as long. */
const LONGEST_WORD = 100;

/** The candidate that was probably meant, or undefined when none is near (a third of the word may be wrong). */
export function suggest(word: string, candidates: readonly string[]): string | undefined {
  if (word === '' || word.length > LONGEST_WORD || candidates.length === 0) return undefined;
  const lower = word.toLowerCase();
  const best = closest(
    lower,
    candidates.map((candidate) => candidate.toLowerCase()),
  );
  const found = candidates.find((candidate) => candidate.toLowerCase() === best);
  const near = distance(lower, best) <= Math.max(1, Math.floor(word.length / 3));
  return near ? found : undefined;
}
