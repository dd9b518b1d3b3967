import { expect, test } from 'vitest';
import { isOneTimeCode } from '../../src/incoming/forwarding.js';
import { filteredTogether, privacyFilter } from '../../src/incoming/privacy.js';
import { PRIVATE_KINDS } from '../../src/incoming/privacyDetectors.js';
import { maskHandle } from '../../src/logging/mask.js';
import { beforeBinary, plainWords } from '../../src/messages/chatdb/attributedBody.js';
import { mentionsAnyLink, mentionsLink, sameLink } from '../../src/messages/chatdb/links.js';
import { isTelling } from '../../src/messages/chatdb/ownership.js';
import { bodyParts, normalisedText } from '../../src/messages/chatdb/rowBody.js';
import { canonicalAddress, parseThreadId } from '../../src/messages/conversationId.js';
import { splitText } from '../../src/outgoing/Requests.js';
import { joinAtSeams } from '../../src/system/seams.js';

/** What patterns that look twice, and stacks that grow, are made of. Each is repeated to the length of the text. */
const PIECES = [
  ...['a', ' ', '\n', '- ', '--', '.', '1', '1 ', '12 ', '7-', '(1)', '+1 ', '4 ', '4111 1111 1111 1111 '],
  ...[
    '@',
    'a@',
    'a@b.c ',
    '.a',
    '1.',
    'a.a.a.',
    'tel:',
    'mailto:',
    'sms:+',
    'http://',
    'https://a.b/',
    '%20',
  ],
  ...[
    '123-45-6789 ',
    'ssn 123456789 ',
    'social   ',
    'tax   ',
    '310-555-1234, ',
    '$(kIM',
    '\ud800',
    '\ufffd',
    '\u0301',
  ],
  ...[
    '\u200b1',
    '\ufe0f',
    '\u3042',
    '\ud835\udfd8',
    '\ufffc',
    '\ufffc1',
    'x;',
    ';-;',
    'chat1',
    '[',
    '"',
    '\\',
    '\0',
    '\u202e',
  ],
];

const filter = privacyFilter(PRIVATE_KINDS, 'US') ?? (() => ({ text: '', fields: [] }));

/** All that runs over what strangers write, with the length of the texts that it gets at most. */
const WORK: Readonly<Record<string, { length: number; run: (text: string) => unknown }>> = {
  'the privacy filter': {
    length: 20_000,
    run: (text) => filteredTogether(filter, [[text.replaceAll('\ufffc', '')]]),
  },
  'the privacy filter at seams': {
    length: 3_000,
    run: (text) => filter(joinAtSeams(text.match(/.{1,20}/gsu) ?? [])),
  },
  'the comparison of texts': { length: 50_000, run: normalisedText },
  'the words of a row': { length: 50_000, run: plainWords },
  'the words of a damaged row': {
    length: 50_000,
    run: (text) => beforeBinary(Buffer.from(text), 0, text.length),
  },
  'the parts of a body': { length: 20_000, run: (text) => bodyParts({ text, runs: [], fallback: false }) },
  'whether a text is telling': { length: 50_000, run: isTelling },
  'whether a text has any link': { length: 50_000, run: mentionsAnyLink },
  'whether a text has this link': {
    length: 20_000,
    run: (text) => mentionsLink(text, `https://${text.slice(0, 2_000)}`),
  },
  'whether two links are one': { length: 2_000, run: (text) => sameLink(text, `${text}x`) },
  'a thread id': { length: 500_000, run: parseThreadId },
  'an address': { length: 500_000, run: (text) => canonicalAddress(text, 'US') },
  'an address that is nearly a number': {
    length: 500_000,
    run: (text) => canonicalAddress(`${text}x`, 'US'),
  },
  'a code for signing in': { length: 400, run: (text) => isOneTimeCode(text, '12345') },
  'a handle in the log': { length: 50_000, run: maskHandle },
  'the cutting of a text': { length: 50_000, run: (text) => splitText(text, 1_000) },
};

/** CPU time in ms, the least of several runs: other programs only add to it. No more runs once it is `enough`. */
function cost(run: () => unknown, enough = 0): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 3 && least > enough; round += 1) {
    const before = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / 1_000);
  }
  return least;
}

/** What quadratic work of these lengths exceeds by far, and linear work nowhere near. */
const SLACK_MS = 15;
const RATIO = 3;

/** A measurement that differs is repeated: the load of other programs does not come five times. */
function costsAtMostTwice(long: () => unknown, short: () => unknown): boolean {
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const twice = cost(long, SLACK_MS);
    // What fits into the slack need not be compared.
    if (twice <= SLACK_MS || twice <= cost(short) * RATIO + SLACK_MS) return true;
  }
  return false;
}

test.each(Object.entries(WORK))(
  '%s: twice the text takes no more than about twice the work',
  (_name, { length, run }) => {
    const tooLong = PIECES.filter((piece) => {
      const text = piece.repeat(Math.ceil((2 * length) / piece.length)).slice(0, 2 * length);
      const once = text.slice(0, length);
      // And with an end at which a pattern fails that has matched all before it.
      const longer = [text, `${once}\u0001!`];
      return longer.some(
        (one) =>
          !costsAtMostTwice(
            () => run(one),
            () => run(once),
          ),
      );
    });
    expect(tooLong).toEqual([]);
  },
  120_000,
);
