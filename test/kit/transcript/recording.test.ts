import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { get, request } from 'node:http';
import { join } from 'node:path';
import { expect, type TestContext, test } from 'vitest';
import { echo } from '../../../src/kit/backend/persona.js';
import { SimulatedBackend } from '../../../src/kit/backend/SimulatedBackend.js';
import { type Entry, type EntryOf, readTranscript } from '../../../src/kit/transcript/entry.js';
import { RecordingProxy } from '../../../src/kit/transcript/RecordingProxy.js';
import { TranscriptFile } from '../../../src/kit/transcript/TranscriptFile.js';
import { systemClock } from '../../../src/system/clock.js';
import { temporaryDirectory } from '../../support/temporaryDirectory.js';
import { failures, judgeBackend, SECRET, withVerdict } from '../conformance/judgeBackend.js';

async function recorded(context: TestContext, mostBytes = 20_000_000) {
  const path = join(temporaryDirectory(context), 'transcript.jsonl');
  const ends: string[] = [];
  const transcript = new TranscriptFile(path, '0.0.0', mostBytes, systemClock, (why) => ends.push(why));
  const backend = await SimulatedBackend.start({ port: 0, secret: SECRET, persona: echo });
  const proxy = await RecordingProxy.start(backend.url, 0, transcript);
  context.onTestFinished(async () => {
    await proxy.stop();
    await backend.stop();
    transcript.close();
  });
  return { path, ends, backend, proxy };
}

const of = <K extends Entry['kind']>(entries: readonly Entry[], kind: K) =>
  entries.filter((entry): entry is EntryOf<K> => entry.kind === kind);

test('the recorder changes nothing: every check passes through it', async (context) => {
  const { path, proxy } = await recorded(context);
  const results = await judgeBackend(proxy.url);
  expect(failures(results)).toEqual([]);
  expect(withVerdict(results, 'SKIP')).toEqual(['transport.tls', 'socket.idle']);

  const { head, entries } = readTranscript(path);
  expect(head).toMatchObject({ schema: 1, version: '0.0.0' });
  expect(of(entries, 'close').map(({ code }) => code)).toEqual(expect.arrayContaining([4001, 1008, 4409]));
  const requests = of(entries, 'request');
  expect(requests.map(({ path: one }) => one)).toEqual(
    expect.arrayContaining(['/edge/sync', '/edge/message']),
  );
  expect(
    of(entries, 'answer')
      .map(({ request }) => request)
      .toSorted(),
  ).toEqual(requests.map(({ request }) => request).toSorted());
  const frames = of(entries, 'frame').map(({ from, frame }) => `${from} ${String(Object(frame).type)}`);
  for (const frame of ['agent ping', 'backend pong', 'backend command', 'agent command_ack']) {
    expect(frames).toContain(frame);
  }
  const text = readFileSync(path, 'utf8');
  for (const theirs of [SECRET, 'Bearer', '12025550199', 'Can you hear me', 'edge-agent conformance']) {
    expect(text).not.toContain(theirs);
  }
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('a transcript ends at its limit, and everything still passes', async (context) => {
  const { path, ends, proxy } = await recorded(context, 2_000);
  const results = await judgeBackend(proxy.url, {}, { only: ['keepalive.pong', 'sync.events'] });
  expect(failures(results)).toEqual([]);
  expect(ends).toEqual(['it has reached its size']);
  expect(readTranscript(path).entries.at(-1)?.kind).toBe('full');
  expect(statSync(path).size).toBeLessThan(2_100);
});

test('a backend that is down, and one that refuses the handshake, appear to the agent as they are', async (context) => {
  const { path, backend, proxy } = await recorded(context);
  backend.refuseUpgrades(503);
  const refused = await judgeBackend(proxy.url, {}, { only: ['auth.socket.signed'] });
  expect(refused.at(-1)?.came).toBe('HTTP 503 to the handshake');
  await backend.goDown();
  const [gone] = await judgeBackend(proxy.url, {}, { only: ['transport.reachable'] });
  expect(gone?.verdict).toBe('FAIL');
  const { entries } = readTranscript(path);
  expect(of(entries, 'refused').map(({ status }) => status)).toEqual([503]);
  expect(of(entries, 'answer').at(-1)?.status).toBe(0);
});

test('a transcript never overwrites another file', async (context) => {
  const { path } = await recorded(context);
  expect(() => new TranscriptFile(path, '0', 1_000, systemClock, () => undefined)).toThrow('EEXIST');
});

test('a request that offers HTTP/2 passes as the request that it is', async (context) => {
  const { path, proxy } = await recorded(context);
  const headers = { Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABk' };
  const status = await new Promise((resolve, reject) => {
    get(`${proxy.url}/health`, { headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on('error', reject);
  });
  expect(status).toBe(200);
  expect(of(readTranscript(path).entries, 'answer').map((one) => one.status)).toEqual([200]);
});

test('a request that waits for 100-continue gets its answer, as without a recorder', async (context) => {
  const { path, proxy } = await recorded(context);
  const body = JSON.stringify({ user_phone: '+12025550143', version: '0' });
  const asked = request(`${proxy.url}/edge/register`, {
    method: 'POST',
    headers: {
      expect: '100-continue',
      'content-type': 'application/json',
      authorization: `Bearer ${SECRET}`,
    },
  });
  asked.on('continue', () => asked.end(body));
  asked.flushHeaders();
  const [answer] = await once(asked, 'response');
  answer.resume();
  expect(answer.statusCode).toBe(200);
  expect(of(readTranscript(path).entries, 'answer').map(({ status }) => status)).toEqual([200]);
});

test('an answer is judged by the path of its request, and an unknown path is not recorded', async (context) => {
  const { path, proxy } = await recorded(context);
  const post = (to: string) => fetch(proxy.url + to, { method: 'POST', body: '{"door":"4711"}' });
  await (await post('/edge/sync/with/+13105553333/LEAK?q=LEAK')).text();
  const text = readFileSync(path, 'utf8');
  expect(text).not.toMatch(/LEAK|3105553333|door|4711|with/);
  expect(of(readTranscript(path).entries, 'request')[0]?.path).toBe('/edge/sync/part_1/part_2/part_3');
});
