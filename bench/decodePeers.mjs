import { ATTACHMENT_MARK, encodeAttributedBody } from '../dist/kit/messages/typedstreamEncoder.js';
import { decodeAttributedBody } from '../dist/messages/chatdb/attributedBody.js';
import { microsecondsPerCall, ratio } from './figures.mjs';

const VARIETY = 256;
/** Ours takes at most this share of their time: 20 times as fast. */
const SHARE = 1 / 20;
const WORDS = 'the train is late again so start without me and keep a plate warm please thanks'.split(' ');

/** What reads the same bodies elsewhere (development dependencies); a package that is not installed is left out. */
const PEERS = {
  '@parseaple/typedstream':
    ({ Unarchiver }) =>
    (blob) =>
      Unarchiver.open(blob).decodeSingleRoot().string,
  'node-typedstream':
    ({ Unarchiver }) =>
    (blob) =>
      Unarchiver.open(blob, Unarchiver.BinaryDecoding.none).decodeAll()[0].values[0].string,
};

/** The text of a body, ours against the parsers of npm, in one run. Each call has another message. */
export async function run() {
  const peers = await installed();
  if (peers.length === 0) throw new Error(`none of ${Object.keys(PEERS).join(', ')} is installed: npm ci`);
  return [
    ...rows(peers, 'a typical message', (number) => encodeAttributedBody(sentence(number, 9))),
    ...rows(peers, 'five parts, two of them files', fiveParts),
  ];
}

async function installed() {
  const found = [];
  for (const [name, readerOf] of Object.entries(PEERS)) {
    const peer = await import(name).catch((error) => {
      if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
      console.error(`${name} is not installed; left out`);
    });
    if (peer !== undefined) found.push({ name, read: readerOf(peer.Unarchiver ? peer : peer.default) });
  }
  return found;
}

function rows(peers, what, make) {
  const blobs = Array.from({ length: VARIETY }, (_, number) => make(number));
  const texts = blobs.map((blob) => decodeAttributedBody(blob).text);
  for (const { name, read } of peers) {
    const wrong = blobs.findIndex((blob, index) => read(blob) !== texts[index]);
    if (wrong >= 0) throw new Error(`${what}: ${name} reads ${JSON.stringify(read(blobs[wrong]))}`);
  }
  const [ours, ...theirs] = microsecondsPerCall(
    [decodeAttributedBody, ...peers.map(({ read }) => read)].map(
      (read) => (call) => read(blobs[call % VARIETY]),
    ),
    { calls: 2_000 },
  );
  return peers.map(({ name }, index) =>
    ratio({ what, measured: ours, reference: { name, value: theirs[index] }, unit: 'µs', most: SHARE }),
  );
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
