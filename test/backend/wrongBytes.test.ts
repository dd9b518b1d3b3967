import { type AddressInfo, createServer, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import { parseRetryAfter } from '../../src/backend/HttpClient.js';
import { backendWords } from '../../src/system/backendWords.js';
import { FakeBackend } from '../support/FakeBackend.js';
import { makeBackend } from '../support/startBackend.js';

const TIMEOUT_MS = 1_000;
const OK = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n';
const REPLY = '{"should_respond":false}';

function sized(body: string | Buffer, more = ''): Buffer {
  return Buffer.concat([
    Buffer.from(`${OK}${more}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n`),
    Buffer.from(body),
  ]);
}

/** Writes for as long as the agent listens. */
function endlessly(socket: Socket, bytes: Buffer, everyMs?: number): void {
  const write = () => {
    if (socket.destroyed) return;
    const isRoom = socket.write(bytes);
    if (everyMs !== undefined) setTimeout(write, everyMs);
    else if (isRoom) setImmediate(write);
    else socket.once('drain', write);
  };
  write();
}

/** Posts a message to a server that speaks in raw bytes. */
async function postTo(answer: (socket: Socket) => void) {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', () => answer(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const fake = await FakeBackend.start();
  const running = makeBackend(fake, { settings: { requestTimeoutSeconds: TIMEOUT_MS / 1_000 } });
  onTestFinished(async () => {
    await running.stop();
    await fake.stop();
    server.close();
  });
  running.settings.httpBase = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const began = performance.now();
  const before = process.memoryUsage().rss;
  const result = await running.backend.postMessage({ text: 'hi' }, 'G');
  return { result, tookMs: performance.now() - began, grewBytes: process.memoryUsage().rss - before };
}

const endless = (head: string, bytes: Buffer, everyMs?: number) => (socket: Socket) => {
  socket.write(head);
  endlessly(socket, bytes, everyMs);
};
const say = (bytes: string | Buffer) => (socket: Socket) => void socket.write(bytes);

test.each<[string, (socket: Socket) => void]>([
  ['an endless body', endless(`${OK}\r\n`, Buffer.alloc(65_536, 0x20))],
  ['1 GB by its length', endless(`${OK}Content-Length: 1073741824\r\n\r\n`, Buffer.alloc(65_536, 0x20))],
  [
    'a byte of a body now and then, forever',
    endless(`${OK}Content-Length: 9999\r\n\r\n`, Buffer.from(' '), 20),
  ],
  ['a byte of a header now and then, forever', endless('HTTP/1.1 200 OK\r\nX: ', Buffer.from('x'), 20)],
  ['endless headers', endless('HTTP/1.1 200 OK\r\n', Buffer.from('X-A: b\r\n'.repeat(1_000)))],
  ['100 Continue again and again', endless('', Buffer.from('HTTP/1.1 100 Continue\r\n\r\n'), 5)],
  [
    'an unsolicited switch of protocols',
    say('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n'),
  ],
  ['chunks of garbage', say(`${OK}Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n`)],
  ['something that is not HTTP', say('SSH-2.0-OpenSSH_9.6\r\n')],
  ['a page of HTML', say(sized('<html>log in to the hotel</html>'))],
  ['205 without a body', say('HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n')],
  ['304', say('HTTP/1.1 304 Not Modified\r\n\r\n')],
  [
    'an unsolicited compressed body',
    say(sized(gzipSync(Buffer.alloc(50_000_000, 0x20)), 'Content-Encoding: gzip\r\n')),
  ],
  ['UTF-16', say(sized(Buffer.from(REPLY, 'utf16le')))],
  ['half of a JSON object', say(sized(REPLY.slice(0, 9)))],
])(
  '%s is a failure that is retried, within the timeout and in bounded memory',
  async (_, answer) => {
    const { result, tookMs, grewBytes } = await postTo(answer);
    expect(result).toMatchObject({ kind: 'retry' });
    expect(tookMs).toBeLessThan(TIMEOUT_MS + 4_000);
    expect(grewBytes).toBeLessThan(200 * 1024 * 1024);
  },
  20_000,
);

test.each<[string, string | Buffer]>([
  ['a byte order mark', sized(`\uFEFF${REPLY}`)],
  ['100 Continue before it', Buffer.concat([Buffer.from('HTTP/1.1 100 Continue\r\n\r\n'), sized(REPLY)])],
  ['a key twice: the last one counts', sized('{"should_respond":true,"should_respond":false}')],
])('a reply with %s is read', async (_, bytes) => {
  const { result } = await postTo(say(bytes));
  expect(result).toEqual({ kind: 'answered', body: { should_respond: false } });
});

test.each<[string, number | undefined]>([
  ['Fri, 31 Dec 9999 23:59:59 GMT', 3_600_000],
  ['99999999999999999999', 3_600_000],
  ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
  ['-5', 0],
  ['soon', undefined],
  ['', undefined],
  ['9'.repeat(400), undefined],
])('Retry-After: %s is bounded', (header, ms) => {
  expect(parseRetryAfter(header, Date.UTC(2026, 10, 29))).toBe(ms);
});

test.each<[unknown, string | undefined]>([
  [{ error: 'a\u001b[2J\n\u202Eb\u0000' }, 'a [2J b'],
  [{ error: { code: 5, message: 'inner' } }, 'inner'],
  [{ detail: [{ loc: ['body'], msg: 'x', message: 'field required' }] }, 'field required'],
  [{ message: 'x'.repeat(10_000) }, `${'x'.repeat(200)}…`],
  [{ error: null, message: '' }, undefined],
  ['plain', 'plain'],
  [{ error: true }, undefined],
  [undefined, undefined],
  [{ error: { error: { error: { error: { error: { error: 'deep' } } } } } }, undefined],
])('%j is shown to an operator as %j', (json, words) => {
  expect(backendWords(json)).toBe(words);
});
