/** Characters kept of what a backend says for an operator to read. */
const MOST_CHARACTERS = 200;
const FIELDS = ['error', 'message', 'detail', 'reason', 'title', 'description', 'errors'] as const;
const DEEPEST = 3;

/**
 * What a backend says about a failure in the JSON of its answer: the first text in one of the usual fields, on one line, without
 * control and direction characters, 200 characters at most. Undefined where it says nothing. It may repeat a person's words: it
 * goes where the operator looks at the message, never into a log.
 */
export function backendWords(json: unknown): string | undefined {
  const found = wordsIn(json, 0);
  if (found === undefined) return undefined;
  const line = found
    .slice(0, MOST_CHARACTERS * 10)
    .replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim();
  const characters = [...line];
  if (characters.length === 0) return undefined;
  return characters.length > MOST_CHARACTERS ? `${characters.slice(0, MOST_CHARACTERS).join('')}…` : line;
}

function wordsIn(value: unknown, depth: number): string | undefined {
  if (typeof value === 'string') return value.trim() === '' ? undefined : value;
  if (typeof value !== 'object' || value === null || depth > DEEPEST) return undefined;
  if (Array.isArray(value)) return wordsIn(value[0], depth + 1);
  for (const field of FIELDS) {
    const words = wordsIn(Reflect.get(value, field), depth + 1);
    if (words !== undefined) return words;
  }
  return undefined;
}
