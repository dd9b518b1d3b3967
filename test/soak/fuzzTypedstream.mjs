import { parseArgs } from 'node:util';
import { decodeAttributedBody } from '../../dist/messages/chatdb/attributedBody.js';
import { parseTypedStream } from '../../dist/messages/chatdb/typedstream.js';
import {
  ATTACHMENT_MARK,
  encodeAttributedBody,
  encodeRuns,
} from '../../dist/simulator/messages/typedstreamEncoder.js';

/*
 * Throws damaged and made-up blobs at the reader of attributedBody, from the built code:
 *   node test/soak/fuzzTypedstream.mjs [--seed N] [--blobs N]
 * It must never throw, never say more than is in the blob, never take long, and keep no memory. Exit code 1 if it does.
 */
const { values } = parseArgs({ options: { seed: { type: 'string' }, blobs: { type: 'string' } } });
const seed = Number(values.seed ?? 1);
const blobs = Number(values.blobs ?? 1_000_000);
/** One blob may take this long, in ms. What took longer once may have been another program; it is read again. */
const LONGEST_MS = 20;
/** The tag bytes of the grammar, which damage does most with. */
const TAGS = [0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x92, 0x93, 0x40, 0x2b, 0x69, 0x49, 0x5b, 0x7b, 0x00, 0xff];

/** mulberry32: the same blobs for the same seed. */
function randomOf(start) {
  let state = start >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const random = randomOf(seed);
const below = (count) => Math.floor(random() * count);
const pick = (list) => list[below(list.length)];

function corpus() {
  const part = (index) => ['__kIMMessagePartAttributeName', index];
  const texts = ['', 'hi', 'aↄb', '𝖍𝖊𝖑𝖑𝖔', 'あ'.repeat(50), 'x'.repeat(300), `${ATTACHMENT_MARK}look`];
  return [
    ...texts.flatMap((text) => [false, true].map((immutable) => encodeAttributedBody(text, { immutable }))),
    encodeAttributedBody(`a${ATTACHMENT_MARK}b${ATTACHMENT_MARK}c`, { transferGuids: ['at_0_X', 'at_2_X'] }),
    encodeRuns([
      { text: 'Ann', attributes: [['__kIMMentionConfirmedMention', '+13105551234'], part(0)] },
      { text: ' see ', attributes: [['__kIMDataDetectedAttributeName', Buffer.alloc(200, 7)], part(0)] },
      { text: 'this', attributes: [['__kIMLinkAttributeName', { url: 'https://a.example' }], part(0)] },
    ]),
  ];
}

const WHOLE = corpus();

/** Each way to damage a blob, or to make one up. */
const WAYS = {
  flipped(bytes) {
    for (let left = 1 + below(8); left > 0; left--) bytes[below(bytes.length)] = below(256);
    return bytes;
  },
  tagged(bytes) {
    for (let left = 1 + below(4); left > 0; left--) bytes[below(bytes.length)] = pick(TAGS);
    return bytes;
  },
  cut: (bytes) => bytes.subarray(0, below(bytes.length)),
  shortened(bytes) {
    const from = below(bytes.length);
    return Buffer.concat([
      bytes.subarray(0, from),
      bytes.subarray(Math.min(bytes.length, from + 1 + below(20))),
    ]);
  },
  repeated(bytes) {
    const from = below(bytes.length);
    const piece = bytes.subarray(from, from + 1 + below(60));
    const times = Array.from({ length: 1 + below(200) }, () => piece);
    return Buffer.concat([bytes.subarray(0, from), ...times, bytes.subarray(from)]);
  },
  spliced(bytes) {
    const other = pick(WHOLE);
    return Buffer.concat([bytes.subarray(0, below(bytes.length)), other.subarray(below(other.length))]);
  },
  madeUp() {
    const tail = Buffer.from(
      Array.from({ length: below(300) }, () => (random() < 0.6 ? pick(TAGS) : below(256))),
    );
    return Buffer.concat([pick(WHOLE).subarray(0, 16), tail]);
  },
};

/** What is wrong with what was made of a blob; undefined if nothing is. */
function fault(blob) {
  const parsed = parseTypedStream(blob);
  const decoded = decodeAttributedBody(blob);
  if (parsed.kind === 'text') {
    if (decoded.text !== parsed.text || decoded.fallback) return 'the two doors disagree';
    let reached = 0;
    for (const run of parsed.runs) {
      if (run.start !== reached || run.length < 0) return 'runs that leave gaps';
      reached += run.length;
    }
    if (reached !== parsed.text.length) return 'runs that do not cover the text';
  } else if (!decoded.fallback) return 'damaged, and nobody is told';
  if (decoded.text !== null && Buffer.byteLength(decoded.text) > 3 * blob.length)
    return 'more text than bytes';
  return undefined;
}

function timed(blob) {
  const from = performance.now();
  fault(blob);
  return performance.now() - from;
}

const ways = Object.keys(WAYS);
const counts = Object.fromEntries(ways.map((way) => [way, { blobs: 0, parsed: 0, saved: 0, lost: 0 }]));
let slowest = { ms: 0, way: '', bytes: 0 };
const began = performance.now();
let memory = 0;
for (let number = 0; number < blobs; number++) {
  const way = pick(ways);
  const blob = WAYS[way](Buffer.from(pick(WHOLE)));
  const from = performance.now();
  let wrong;
  try {
    wrong = fault(blob);
  } catch (error) {
    wrong = `threw ${error}`;
  }
  let ms = performance.now() - from;
  for (let again = 0; again < 5 && ms > LONGEST_MS; again++) ms = Math.min(ms, timed(blob));
  if (ms > slowest.ms) slowest = { ms, way, bytes: blob.length };
  if (ms > LONGEST_MS) wrong ??= `took ${ms.toFixed(0)} ms`;
  if (wrong !== undefined) {
    console.error(`seed ${seed}, blob ${number} (${way}): ${wrong}\n${blob.toString('base64')}`);
    process.exit(1);
  }
  const count = counts[way];
  const { text, fallback } = decodeAttributedBody(blob);
  count.blobs++;
  if (!fallback) count.parsed++;
  else if (text !== null) count.saved++;
  else count.lost++;
  if (number === Math.floor(blobs / 10)) memory = process.memoryUsage.rss();
}
const seconds = (performance.now() - began) / 1000;
const grown = (process.memoryUsage.rss() - memory) / 1024 / 1024;
console.table(counts);
console.log(
  `seed ${seed}: ${blobs} blobs in ${seconds.toFixed(1)} s, none threw; slowest ${slowest.ms.toFixed(1)} ms ` +
    `(${slowest.way}, ${slowest.bytes} bytes); memory grew by ${grown.toFixed(0)} MB after the first tenth`,
);
