/** A shorter one is a word, or part of many: hiding it would garble what is said and hide nothing. In UTF-16 units. */
const SHORTEST_HIDDEN = 6;
/** A shorter one is hidden as a whole value only, not within a longer word. */
const SHORTEST_ANYWHERE = 16;

/**
 * A function that puts `[secret]` in the place of every given secret in a text, also where the secret is written as in JSON or
 * percent-encoded. One of less than 16 characters is hidden where it is a whole value (no letter, digit, `_` or `-` touches it), one
 * of less than 6 nowhere. With none the text comes back as it is.
 */
export function redactor(secrets: readonly string[]): (text: string) => string {
  const forms = new Set(secrets.filter((secret) => secret.length >= SHORTEST_HIDDEN).flatMap(formsOf));
  if (forms.size === 0) return (text) => text;
  // The longest first: a secret that begins like another must not leave its end behind.
  const longestFirst = [...forms].toSorted((a, b) => b.length - a.length);
  const pattern = new RegExp(longestFirst.map(patternOf).join('|'), 'gu');
  return (text) => text.replace(pattern, '[secret]');
}

function formsOf(secret: string): string[] {
  return [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(wellFormed(secret))];
}

/** Half a surrogate pair cannot be percent-encoded. */
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\uFFFD');
}

function patternOf(form: string): string {
  const escaped = escapePattern(form);
  return form.length >= SHORTEST_ANYWHERE ? escaped : `(?<![\\p{L}\\p{N}_-])${escaped}(?![\\p{L}\\p{N}_-])`;
}

function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}
