import { mkdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { makeToken } from '../../src/monitor/tokens.js';
import { openDatabase } from '../../src/store/sqlite.js';
import type { Cleanup } from '../support/EdgeWorld.js';
import { FakeClock } from '../support/FakeClock.js';
import { MonitorWorld } from '../support/MonitorWorld.js';

async function withPage(cleanup: Cleanup): Promise<MonitorWorld> {
  const world = await MonitorWorld.open(cleanup);
  mkdirSync(join(world.pageDirectory, 'assets'), { recursive: true });
  writeFileSync(join(world.pageDirectory, 'index.html'), '<!doctype html><title>x</title>');
  writeFileSync(join(world.pageDirectory, 'assets', 'app-ABCD2345.js'), 'run()');
  writeFileSync(join(world.pageDirectory, 'app.css'), 'a{}');
  writeFileSync(join(world.pageDirectory, 'notes.txt'), 'not a file of the page');
  return world;
}

/** As it is on the wire: `fetch` would tidy the path and sets no Host. */
function get(
  world: MonitorWorld,
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const asking = request(
      { host: '127.0.0.1', port: world.server.port, path, headers, agent: false },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          body += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      },
    );
    asking.on('error', reject).end();
  });
}

const linkToken = (world: MonitorWorld, ttlMs = 60_000, at = Date.now()) =>
  makeToken(world.secret.key(), { use: 'link', user: 'ann', ttlMs, now: at });

const exchange = (world: MonitorWorld, token: string, headers: Record<string, string> = {}) =>
  fetch(`${world.origin}/session`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, ...headers },
  });

describe('the page', () => {
  test('is served with headers that let nothing else run or load', async (cleanup) => {
    const world = await withPage(cleanup);
    const response = await fetch(`${world.origin}/`);
    expect(response.status).toBe(200);
    expect(await response.text()).toContain('<!doctype html>');
    const headers = Object.fromEntries(response.headers);
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cross-origin-resource-policy': 'same-origin',
    });
    const policy = headers['content-security-policy'] ?? '';
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self';");
    expect(policy).toContain(`connect-src 'self' ws://127.0.0.1:${world.server.port};`);
    expect(policy).not.toMatch(/unsafe|\*|https?:/);
    expect(headers).not.toHaveProperty('access-control-allow-origin');
    expect(headers).not.toHaveProperty('set-cookie');
  });

  test('has files that are cached forever if their name identifies their content, and no others', async (cleanup) => {
    const world = await withPage(cleanup);
    const hashed = await fetch(`${world.origin}/assets/app-ABCD2345.js?v=1`);
    expect(hashed.headers.get('cache-control')).toBe('max-age=31536000, immutable');
    expect(hashed.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    expect((await fetch(`${world.origin}/app.css`)).headers.get('cache-control')).toBe('no-store');
  });

  test.for([
    '/../monitor-secret',
    '/..%2fmonitor-secret',
    '/%2e%2e/monitor-secret',
    '/assets/../../monitor-secret',
    '//etc/passwd',
    '/notes.txt',
    '/index.html%00.js',
    '/%zz.js',
    '/assets',
    '/missing.js',
  ])('does not serve %s', async (path, cleanup) => {
    const world = await withPage(cleanup);
    world.secret.key();
    expect((await get(world, path)).status).toBe(404);
  });

  test('is for this machine only', async (cleanup) => {
    const world = await withPage(cleanup);
    expect((await get(world, '/', { host: 'evil.example' })).status).toBe(403);
    expect((await get(world, '/', { origin: 'https://evil.example' })).status).toBe(403);
    expect((await get(world, '/', { host: 'localhost:9999' })).status).toBe(200);
  });

  test('pictures and frames of another site are refused, however many; a link that is followed is not', async (cleanup) => {
    const world = await withPage(cleanup);
    const asked = { 'sec-fetch-site': 'cross-site', 'sec-fetch-dest': 'image' };
    for (let count = 0; count < 400; count++) {
      const headers = count % 2 === 0 ? asked : { host: 'evil.example' };
      expect((await get(world, '/', headers)).status).toBe(403);
    }
    expect((await get(world, '/')).status).toBe(200);
    expect((await get(world, '/', { ...asked, 'sec-fetch-dest': 'document' })).status).toBe(200);
    expect((await get(world, '/app.css', { ...asked, 'sec-fetch-site': 'same-origin' })).status).toBe(200);
  });

  test('answers other methods and /ws with what they would need', async (cleanup) => {
    const world = await withPage(cleanup);
    expect((await fetch(`${world.origin}/`, { method: 'PUT', body: 'x' })).status).toBe(405);
    expect((await get(world, '/ws')).status).toBe(426);
    expect((await get(world, '/session')).status).toBe(405);
  });
});

describe('a link', () => {
  test('is exchanged for a session once', async (cleanup) => {
    const world = await withPage(cleanup);
    const link = await linkToken(world);
    const response = await exchange(world, link);
    expect(response.status).toBe(200);
    expect(response.headers.get('cache-control')).toBe('no-store');
    const { token, userId, expiresAt } = (await response.json()) as Record<string, string>;
    expect(userId).toBe('ann');
    expect(Date.parse(expiresAt ?? '') - Date.now()).toBeGreaterThan(11 * 3_600_000);
    const client = await world.connect(token);
    expect((await client.heard('auth')).data).toEqual({ success: true, userId: 'ann' });
    const again = await exchange(world, link);
    expect([again.status, await again.json()]).toEqual([401, { error: 'The link was used already' }]);
  });

  test('is valid once, over a restart of the agent too', async (cleanup) => {
    const world = await withPage(cleanup);
    const token = await linkToken(world);
    expect((await exchange(world, token)).status).toBe(200);
    const next = await MonitorWorld.open(cleanup, { directory: world.directory });
    expect((await exchange(next, token)).status).toBe(401);
    expect((await exchange(next, await linkToken(next))).status).toBe(200);
  });

  test('that was not used survives a restart', async (cleanup) => {
    const world = await withPage(cleanup);
    const token = await linkToken(world);
    const next = await MonitorWorld.open(cleanup, { directory: world.directory });
    expect((await exchange(next, token)).status).toBe(200);
    expect((await exchange(world, token)).status).toBe(401);
  });

  test.for([
    ['milliseconds back and forth', [-3, 5, -2, 1, -7, 7]],
    ['an hour ahead and back', [3_600_000, -3_600_000]],
    ['an hour back and ahead', [-3_600_000, 3_600_000]],
    ['past the expiry and back by seconds', [121_000, -1_500, -119_500, 500]],
    ['a year ahead, a year back, and two days', [31_536_000_000, -31_536_000_000, -172_800_000, 172_800_000]],
  ] as const)('is valid once when the clock is set %s', async ([, jumps], cleanup) => {
    const clock = new FakeClock(Date.now());
    const world = await MonitorWorld.open(cleanup, { clock });
    const token = await linkToken(world, 120_000, clock.now());
    expect((await exchange(world, token)).status).toBe(200);
    for (const jump of jumps) {
      clock.jumpWall(jump);
      expect((await exchange(world, token)).status).toBe(401);
      // The clock may be set at any moment, also while the agent is down.
      const next = await MonitorWorld.open(cleanup, { directory: world.directory, clock });
      expect((await exchange(next, token)).status).toBe(401);
      expect((await exchange(next, await linkToken(next, 120_000, clock.now()))).status).toBe(200);
    }
  });

  test('is valid once however many others were used since', async (cleanup) => {
    const clock = new FakeClock(Date.now());
    const world = await MonitorWorld.open(cleanup, { clock });
    const token = await linkToken(world, 120_000, clock.now());
    expect((await exchange(world, token)).status).toBe(200);
    world.store.write(() => {
      for (let n = 1; n <= 3_000; n++)
        expect(world.store.usedLinks.use(`other-${n}`, clock.now() + n)).toBe(true);
    });
    expect((await exchange(world, token)).status).toBe(401);
    const database = openDatabase(join(world.directory, 'edge-agent.db'), { readonly: true });
    expect(database.prepare('SELECT count(*) FROM used_links').pluck().get()).toBe(1_000);
    database.close();
    expect((await exchange(world, await linkToken(world, 120_000, clock.now() + 4_000))).status).toBe(200);
  });

  test('gives no session while its use cannot be stored, and is valid once afterwards', async (cleanup) => {
    const world = await withPage(cleanup);
    const token = await linkToken(world);
    const other = openDatabase(join(world.directory, 'edge-agent.db'));
    other.exec('BEGIN IMMEDIATE');
    const refused = await exchange(world, token);
    expect([refused.status, Object.keys((await refused.json()) as object)]).toEqual([503, ['error']]);
    other.exec('ROLLBACK');
    other.close();
    expect((await exchange(world, token)).status).toBe(200);
    expect((await exchange(world, token)).status).toBe(401);
  });

  test('that many use at the same moment gives one of them a session', async (cleanup) => {
    const world = await withPage(cleanup);
    const token = await linkToken(world);
    const answers = await Promise.all(Array.from({ length: 20 }, () => exchange(world, token)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  test('that is old, forged or a session token gives none', async (cleanup) => {
    const world = await withPage(cleanup);
    const old = await linkToken(world, 60_000, Date.now() - 120_000);
    const forged = await makeToken(new Uint8Array(32), {
      use: 'link',
      user: 'ann',
      ttlMs: 60_000,
      now: Date.now(),
    });
    for (const token of [old, forged, await world.token(), '']) {
      const response = await exchange(world, token);
      expect(response.status).toBe(401);
      expect(await response.json()).toEqual({ error: expect.any(String) });
    }
  });

  test("is not exchanged for another site's page, nor without limit", async (cleanup) => {
    const world = await withPage(cleanup);
    expect((await exchange(world, await linkToken(world), { origin: 'https://evil.example' })).status).toBe(
      403,
    );
    const answers = await Promise.all(Array.from({ length: 60 }, () => exchange(world, 'guess')));
    expect(answers.map(({ status }) => status)).toContain(429);
  });
});
