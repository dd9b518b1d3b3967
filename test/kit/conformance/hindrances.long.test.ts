import { expect, type TestContext, test } from 'vitest';
import { echo } from '../../../src/kit/backend/persona.js';
import { SimulatedBackend } from '../../../src/kit/backend/SimulatedBackend.js';
import type { SimulatedBackendOptions } from '../../../src/kit/backend/SimulatedBackendOptions.js';
import { AGENT, failures, judgeBackend, OTHER, SECRET, withVerdict } from './judgeBackend.js';
import { type Defect, MutantBackend } from './MutantBackend.js';

async function backendWith(context: TestContext, options: Partial<SimulatedBackendOptions> = {}) {
  const backend = await SimulatedBackend.start({ port: 0, secret: SECRET, persona: echo, ...options });
  context.onTestFinished(() => backend.stop());
  return backend;
}

async function mutant(context: TestContext, defect: Defect) {
  const good = await backendWith(context);
  const between = await MutantBackend.start(good.url, defect);
  context.onTestFinished(() => between.stop());
  return { good, url: between.url };
}

test('a backend that says when to retry is asked again then, and fails nothing', async (context) => {
  const backend = await backendWith(context, { rate: { perSecond: 30, burst: 30 } });
  const results = await judgeBackend(backend.url);
  expect(failures(results)).toEqual([]);
  expect(withVerdict(results, 'SKIP')).toEqual(['transport.tls', 'socket.idle']);
});

test('a check that is refused with 429 and no Retry-After is skipped, not failed', async (context) => {
  const { url } = await mutant(context, {
    request: ({ path }) => (path === '/edge/message' ? { status: 429, body: { error: 'busy' } } : undefined),
  });
  const results = await judgeBackend(url, {}, { only: ['message.reply', 'message.key'] });
  expect(failures(results)).toEqual([]);
  expect(results.find(({ id }) => id === 'auth.message.signed')?.came).toBe(
    'rate-limited: 429 without Retry-After',
  );
});

test('with the wrong secret nothing passes for being refused, and the first failure asks about the secret', async (context) => {
  const backend = await backendWith(context);
  const results = await judgeBackend(backend.url, { secret: 'another-secret-9c1e' });
  const passed = withVerdict(results, 'PASS');
  expect(passed.filter((id) => id.startsWith('auth.'))).toEqual([]);
  expect(passed).toEqual(['transport.reachable', 'socket.plain-get']);
  expect(results.find(({ id }) => id === 'auth.http.signed')?.came).toContain('Is it the secret');
  expect(results.find(({ id }) => id === 'auth.socket.signed')?.came).toContain('Is it the secret');
});

test('a backend that registers by invitation is given the registration token', async (context) => {
  const { url } = await mutant(context, {
    request: ({ path, body }) =>
      path === '/edge/register' && JSON.parse(body).registration_token !== 'invited-31'
        ? { status: 403, body: { error: 'by invitation only' } }
        : undefined,
  });
  const only = ['register.repeat', 'events.socket'];
  expect(failures(await judgeBackend(url, { registrationToken: 'invited-31' }, { only }))).toEqual([]);
  const without = failures(await judgeBackend(url, {}, { only }));
  expect(without).toHaveLength(1);
  expect(without[0]).toContain('--registration-token-file');
});

test('checks that are stopped midway leave nothing behind', async (context) => {
  const stop = new AbortController();
  let pushes = 0;
  const { good, url } = await mutant(context, {
    request: ({ path }) => {
      if (path === '/api/send-message') pushes += 1;
      if (pushes === 7) stop.abort();
      return undefined;
    },
  });
  const results = await judgeBackend(url, {}, { stop: stop.signal });
  expect(results.at(-1)?.id).toBe('push.envelope');
  expect(pushes).toBe(7);
  for (const { id } of [AGENT, OTHER]) expect(await good.commands.waiting(id)).toEqual([]);
  expect(good.connections).toEqual([]);
});
