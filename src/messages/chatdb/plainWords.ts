/** U+FFFC stands for a file, U+FFFD for an app's balloon and for bytes that are no text. */
const PLACEHOLDERS = /[\ufffc\ufffd]/g;

/** Half a character of UTF-16, which nothing can show and JSON readers refuse. */
const LONE_SURROGATE = /\p{Surrogate}/gu;

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const LINE_ENDS = /\r\n?|[\x0b\x0c\u0085]/g;
/** The control characters of ASCII and Latin-1 but those that end a line, and tab. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const CONTROLS = /[\0-\x08\x0b-\x1f\x7f-\x9f]/g;
/** Anything of all this: most texts have none of it. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const ANY = /[\0-\x08\x0b-\x1f\x7f-\x9f\ufffc\ufffd\p{Surrogate}]|\$\(kIM/u;
/** Where the text of a damaged body ends: at a control byte, or at two bytes in a row that are no UTF-8. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const BINARY = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|\ufffd{2}/;

/**
 * Names that Messages replaces when it shows an app's line, as
 * `$(kIMTranscriptPluginBreadcrumbTextReceiverIdentifier) closed all three rings` (imessage-exporter, platform-imessage). Apple's
 * constants begin with kIM and a capital: `$(kim)` is something that a person typed.
 */
const MACRO = /\$\(kIM[A-Z]\w*\)?/g;
const APP_LINE = /^[\s\ufffc\ufffd]*\$\(kIM[A-Z]\w*/;

/**
 * What a person reads of a text of chat.db: without the places of files and balloons, control characters, halves of characters
 * and names that only Messages can fill in. Empty for a line that an app wrote. Every text of chat.db that leaves the Mac or is
 * compared with one goes through here.
 */
export function plainWords(text: string | null): string {
  if (text === null) return '';
  if (!ANY.test(text)) return text.trim();
  if (isAppLine(text)) return '';
  return text
    .replace(MACRO, '')
    .replace(LINE_ENDS, '\n')
    .replace(CONTROLS, '')
    .replace(PLACEHOLDERS, '')
    .replace(LONE_SURROGATE, '')
    .trim();
}

/** Whether a text begins with a name that Messages fills in: an app's line about somebody, which no person wrote. */
export function isAppLine(text: string | null): boolean {
  return text !== null && APP_LINE.test(text);
}

/** So many bytes of a damaged body are read at first. */
const FIRST_LOOK = 1024;
/** The end of a stretch of bytes may cut a character in two, which is this many others then. */
const CUT_IN_TWO = 3;

/**
 * The text at the start of these bytes of a damaged body: its declared length may reach into the bytes behind the text, which
 * begin with bytes that are no UTF-8. Null if there is none. Only about as much is decoded as is kept.
 */
export function beforeBinary(bytes: Buffer, from: number, to: number): string | null {
  for (let size = FIRST_LOOK; ; size *= 4) {
    const end = Math.min(from + size, to);
    const text = bytes.toString('utf8', from, end);
    const binary = text.search(BINARY);
    const isKnown = binary >= 0 && binary + 2 <= text.length - CUT_IN_TWO;
    if (end < to && !isKnown) continue;
    const words = (binary < 0 ? text : text.slice(0, binary)).replace(/\ufffd$/, '');
    return words === '' ? null : words;
  }
}
