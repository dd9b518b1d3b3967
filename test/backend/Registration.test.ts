import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeBackend } from '../support/FakeBackend.js';
import { AGENT_ID, makeBackend, type Running } from '../support/startBackend.js';

describe('registration', () => {
  let fake: FakeBackend;
  let running: Running | undefined;
  let directory: string;

  beforeEach(async () => {
    fake = await FakeBackend.start();
    directory = mkdtempSync(join(tmpdir(), 'edge-registration-'));
  });
  afterEach(async () => {
    await running?.stop();
    running = undefined;
    await fake.stop();
    rmSync(directory, { recursive: true });
  });

  const begin = (overrides: Parameters<typeof makeBackend>[1] = {}) => {
    running = makeBackend(fake, { directory, ...overrides });
    running.secrets.registrationToken = 'reg-token';
    running.backend.start();
    return running;
  };
  const online = (made: Running) =>
    fake.until(() => made.backend.view().state === 'online', 'the link to be online');
  const attempts = () => fake.callsTo('/edge/register').length;

  test('sends the token under both names and keeps the id over restarts', async () => {
    fake.on('/edge/register', { body: { edge_agent_id: 'edge_given' } });
    const first = begin({ settings: { appleId: 'me@example.com' } });
    await online(first);
    expect(fake.callsTo('/edge/register')[0]?.body).toMatchObject({
      user_phone: '+13105550100',
      apple_id: 'me@example.com',
      version: '0.1.0',
      auth_token: 'reg-token',
      registration_token: 'reg-token',
    });
    expect(fake.handshakes[0]?.url).toContain('edge_given');
    await first.stop();
    const second = begin();
    await online(second);
    expect(second.backend.agentId()).toBe('edge_given');
    expect(attempts()).toBe(1);
  });

  test('registers again for another phone, and prefers the configured id', async () => {
    fake.on('/edge/register', { body: { edge_agent_id: 'edge_given' } });
    const first = begin();
    await online(first);
    await first.stop();
    const second = begin({ settings: { userPhone: '+13105550199', edgeAgentId: 'edge_mine' } });
    await online(second);
    expect(attempts()).toBe(2);
    expect(second.backend.agentId()).toBe('edge_mine');
  });

  test.each([404, 405, 501, 409])('continues with the derived id after %i', async (status) => {
    fake.on('/edge/register', { status });
    const made = begin();
    await online(made);
    expect(made.backend.agentId()).toBe(AGENT_ID);
    expect(made.backend.view().problems).toEqual([]);
    expect(attempts()).toBe(1);
  });

  test('reports clearly that it was refused, keeps trying, and does not delay the link', async () => {
    fake.on('/edge/register', { status: 403 });
    const made = begin();
    await online(made);
    await fake.until(() => attempts() >= 3, 'more attempts');
    expect(made.backend.view().problems.map((one) => one.code)).toEqual(['registration_refused']);
    expect(
      made.lines.filter((line) => line.startsWith('[ERROR] The backend refused our registration')),
    ).toHaveLength(1);
    fake.on('/edge/register', { body: {} });
    await fake.until(() => made.backend.view().problems.length === 0, 'the recovery');
  });

  test.each([
    ['a kick', (made: Running) => made.backend.kick('a test')],
    ['a request that is accepted again', () => void fake.on('/edge/sync', { body: { commands: [] } })],
    ['a link that is up again', () => fake.refuse(null)],
  ])('that was refused is retried at once by %s, and is no longer reported', async (_, mend) => {
    const hour = 3_600_000;
    fake.on('/edge/register', { body: { edge_agent_id: 'edge_given' } });
    const made = begin({
      timings: {
        registration: { firstMs: 200, retryMs: { first: hour, longest: hour } },
        link: { blockedFastMs: 300 },
      },
    });
    await online(made);
    fake.on('/edge/register', { status: 403 });
    fake.on('/edge/sync', { status: 401 });
    fake.refuse(401);
    fake.drop();
    const codes = () => made.backend.view().problems.map(({ code }) => code);
    await fake.until(() => codes().includes('registration_refused'), 'the refusal');
    await fake.until(() => codes().includes('backend_unauthorised'), 'refused requests');
    fake.on('/edge/register', { body: {} });
    mend(made);
    await fake.until(() => !codes().includes('registration_refused'), 'the recovery');
  });

  test('delays the first connection only briefly when it is not answered', async () => {
    fake.on('/edge/register', () => new Promise(() => undefined));
    const made = begin({
      timings: { registration: { firstMs: 200, retryMs: { first: 30, longest: 200 } } },
    });
    const startedAt = performance.now();
    await online(made);
    expect(performance.now() - startedAt).toBeGreaterThan(195);
  });

  test('does not take a captive portal for a registration', async () => {
    let times = 0;
    fake.on('/edge/register', () => {
      times += 1;
      return times === 1 ? { body: '<html>log in</html>' } : { body: { edge_agent_id: 'edge_given' } };
    });
    const made = begin();
    await fake.until(() => made.backend.agentId() === 'edge_given', 'the second attempt');
    await fake.until(
      () => fake.handshakes.some((one) => one.url.includes('edge_given')),
      'a dial under the new id',
    );
  });

  test('that returns another id during a handshake makes the link connect under that one', async () => {
    let answer: () => void = () => undefined;
    fake.on('/edge/register', async () => {
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      return { body: { edge_agent_id: 'edge_given' } };
    });
    fake.hang();
    const made = begin({
      timings: { registration: { firstMs: 10, retryMs: { first: 30, longest: 200 } } },
    });
    await fake.until(() => fake.handshakes.length === 1, 'the handshake under the derived id');
    answer();
    await fake.until(() => made.backend.agentId() === 'edge_given', 'the id');
    fake.accept();
    await fake.until(() => fake.handshakes.at(-1)?.url.includes('edge_given') === true, 'a dial under it');
    await online(made);
  });

  test('uses an auth_token from the reply where there is no secret', async () => {
    fake.on('/edge/register', {
      body: { edge_agent_id: 'edge_given', auth_token: 'handed-out', accepts: ['event'] },
    });
    running = makeBackend(fake, { directory });
    delete running.secrets.edgeSecret;
    running.secrets.registrationToken = 'reg-token';
    running.backend.start();
    await online(running);
    expect(fake.callsTo('/edge/register')[0]?.headers.authorization).toBeUndefined();
    expect(fake.handshakes[0]?.headers.authorization).toBe('Bearer handed-out');
  });
});
