import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { echo } from '../../../src/kit/backend/persona.js';
import { SimulatedBackend } from '../../../src/kit/backend/SimulatedBackend.js';
import { temporaryDirectory } from '../../support/temporaryStore.js';
import { AGENT, failures, judgeBackend, OTHER, SECRET, withVerdict } from './judgeBackend.js';

test('the reference backend passes every check, and is left with nothing to do', async () => {
  const backend = await SimulatedBackend.start({ port: 0, secret: SECRET, persona: echo });
  onTestFinished(() => backend.stop());
  const results = await judgeBackend(backend.url);
  expect(failures(results)).toEqual([]);
  expect(withVerdict(results, 'SKIP')).toEqual(['transport.tls', 'socket.idle']);
  for (const { id } of [AGENT, OTHER]) expect(await backend.commands.waiting(id)).toEqual([]);
  expect(backend.connections).toEqual([]);
});

test('it passes as strangers would run it: in production, with commands in SQLite, a rate, and refusals by status', async () => {
  const adminKey = 'the-key-of-the-operators';
  const backend = await SimulatedBackend.start({
    port: 0,
    secret: SECRET,
    persona: echo,
    data: join(temporaryDirectory(), 'commands.sqlite'),
    production: true,
    adminKey,
    refuseBy: 'status',
    rate: { perSecond: 100, burst: 200 },
  });
  onTestFinished(() => backend.stop());
  const results = await judgeBackend(backend.url, { sendKey: adminKey });
  expect(failures(results)).toEqual([]);
  expect(withVerdict(results, 'SKIP')).toEqual(['transport.tls', 'socket.idle']);
  expect(await backend.commands.counts()).toMatchObject({ pending: 0 });
});

test('an agent that is silent for as long as it may be is not dropped', async () => {
  const backend = await SimulatedBackend.start({ port: 0, secret: SECRET, persona: echo, silenceMs: 300 });
  onTestFinished(() => backend.stop());
  const results = await judgeBackend(backend.url, {}, { slow: true, only: ['socket.idle'] });
  expect(results.map(({ id, verdict }) => `${id} ${verdict}`)).toEqual([
    'transport.reachable PASS',
    'auth.socket.signed PASS',
    'socket.idle PASS',
  ]);
  expect(results.at(-1)?.came).toContain('closed with 4408');
});
