const PLAIN: readonly (readonly [RegExp, string])[] = [
  // What `plainWords` leaves out of a row, and the text that was sent may have.
  [/\u0085/g, '\n'],
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  [/[\0-\x08\x0e-\x1f\x7f-\x9f]/g, ''],
  // Variation selectors and joiners that Messages adds or drops.
  [/\ufe0e|\ufe0f|\u200d/g, ''],
  // Placeholders of attachments and apps part words, as line breaks do.
  [/[\ufffc\ufffd]/g, ' '],
  [/[\u2018\u2019\u201a\u201b\u2032]/g, "'"],
  [/[\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb]/g, '"'],
  [/\u2026/g, '...'],
  // Smart dashes make one of "--", so runs and long forms are the same.
  [/[-\u2010-\u2015\u2212]+/g, '-'],
  [/\s+/g, ' '],
];

/**
 * A text as far as Messages keeps it: two texts that differ only in what Messages may change on the way (smart
 * quotes, dashes and dots, emoji presentation, whitespace, composition) are equal. Idempotent. For comparing,
 * never for sending. An emoji or CJK text never becomes empty.
 */
export function normalisedText(text: string): string {
  let plain = text.normalize('NFC');
  for (const [pattern, replacement] of PLAIN) plain = plain.replace(pattern, replacement);
  return plain.trim().normalize('NFC');
}
