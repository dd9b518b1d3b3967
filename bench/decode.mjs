import { ATTACHMENT_MARK, encodeAttributedBody } from '../dist/kit/messages/typedstreamEncoder.js';
import { decodeAttributedBody } from '../dist/messages/chatdb/attributedBody.js';
import { bounded, microsecondsPerCall } from './figures.mjs';

const VARIETY = 512;
const WORDS = 'the train is late again so start without me and keep a plate warm please thanks'.split(' ');

/** The text of a body, against JSON.parse of a document of as many bytes. Each call has another message. */
export function run() {
  return [
    row('a typical message', (number) => encodeAttributedBody(sentence(number, 9)), 20_000, 2),
    row('five parts, two of them files', fiveParts, 5_000),
    row('8 KB of text', (number) => encodeAttributedBody(sentence(number, 1_650).slice(0, 8_192)), 2_000),
  ];
}

function row(what, make, calls, most) {
  const blobs = Array.from({ length: VARIETY }, (_, number) => make(number));
  const texts = blobs.map((blob) => decodeAttributedBody(blob).text);
  if (blobs.some((blob) => decodeAttributedBody(blob).fallback)) throw new Error(`${what}: was not parsed`);
  const documents = blobs.map((blob, index) => documentOf(blob.length, texts[index]));
  const [decode, parse] = microsecondsPerCall(
    [(call) => decodeAttributedBody(blobs[call % VARIETY]), (call) => JSON.parse(documents[call % VARIETY])],
    { calls },
  );
  const bytes = Math.round(blobs.reduce((sum, blob) => sum + blob.length, 0) / VARIETY);
  return bounded({
    what: `${what} (${bytes} bytes)`,
    measured: decode,
    reference: { name: 'JSON.parse', value: parse },
    unit: 'µs',
    ...(most === undefined ? {} : { most }),
  });
}

function sentence(number, words) {
  const chosen = Array.from({ length: words }, (_, index) => WORDS[(number * 7 + index * 3) % WORDS.length]);
  return `${number} ${chosen.join(' ')}`;
}

function fiveParts(number) {
  const [a, b, c] = [sentence(number, 4), sentence(number + 1, 5), sentence(number + 2, 3)];
  const transferGuids = [0, 1].map((index) => `at_${index}_0B7F0E8D-8C3E-4F4C-9F0B-${number + 1_000_000}`);
  return encodeAttributedBody([a, b, c].join(ATTACHMENT_MARK), { transferGuids });
}

/** The text in a JSON document that has as many bytes as the body. */
function documentOf(bytes, text) {
  const bare = Buffer.byteLength(JSON.stringify({ text, rest: '' }));
  return JSON.stringify({ text, rest: 'x'.repeat(Math.max(0, bytes - bare)) });
}
