import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { page } from '../docs/page.js';
import { freshToken } from '../kit/backend/PlainAgent.js';
import { DaemonProcess } from '../support/DaemonProcess.js';
import { EdgeWorld, OWN, REALTIME } from '../support/EdgeWorld.js';
import type { Place } from '../support/program.js';
import { cleanEnvironment, runCli } from '../support/runCli.js';
import { temporaryDirectory } from '../support/temporaryStore.js';
import { testPostgres } from '../support/testPostgres.js';
import { until } from '../support/until.js';

const postgres = testPostgres();
const LISTENS = '"msg":"The gateway listens"';

/** An empty directory, and the verbs of the gateway in it. */
function gatewayPlace(env: NodeJS.ProcessEnv = {}) {
  const cwd = temporaryDirectory();
  const place: Place = { cwd, env: cleanEnvironment(cwd, env) };
  const gateway = (...args: string[]) => runCli(['gateway', ...args], place);
  return {
    place,
    data: join(cwd, 'gateway.sqlite'),
    gateway,
    /** What a verb gives as JSON. */
    json: async (...args: string[]): Promise<Record<string, unknown>> => {
      const { exitCode, stdout, stderr } = await gateway(...args, '--json');
      expect([exitCode, stderr]).toEqual([0, '']);
      return JSON.parse(stdout) as Record<string, unknown>;
    },
    /** Starts the gateway on a free port; resolves with its process and address. */
    start: async (...args: string[]) => {
      const daemon = DaemonProcess.spawn(place, { verb: ['gateway', '--port', '0', ...args] });
      onTestFinished(() => daemon.dispose());
      const line = await daemon.line(LISTENS);
      return { daemon, url: (JSON.parse(line) as { url: string }).url };
    },
  };
}

/** How a gateway answers an agent that shows this secret. */
async function opens(url: string, secret: unknown): Promise<number> {
  const request = { method: 'POST', headers: agentHeaders(secret), body: '{}' };
  return (await fetch(`${url}/edge/sync`, request)).status;
}

function agentHeaders(secret: unknown) {
  return {
    authorization: `Bearer ${freshToken('edge_13105550100', String(secret))}`,
    'x-edge-agent-id': 'edge_13105550100',
  };
}

describe('a gateway that is set up by its verbs', () => {
  test('what was added before its first start takes effect, and a real agent connects with the lines for its .env', async (context) => {
    const { json, start, gateway } = gatewayPlace();
    const { id, env } = await json(
      'agents',
      'add',
      '+1 (310) 555-0100',
      '--public-url',
      'https://gw.example.com',
    );
    const lines = env as string[];
    expect(id).toBe('edge_13105550100');
    expect(lines).toEqual([
      'EDGE_AGENT_ID=edge_13105550100',
      expect.stringMatching(/^EDGE_SECRET=[0-9a-f]{64}$/),
      'BACKEND_URL=https://gw.example.com',
    ]);
    const { daemon, url } = await start();
    expect((await gateway('agents', 'list')).stdout).toContain('edge_13105550100  never registered');

    const world = await EdgeWorld.open(context, { secret: lines[1]?.split('=')[1] ?? '' });
    world.writeConfig({ 'backend.url': url });
    const agent = await world.start();
    await agent.line(REALTIME);
    expect(await json('agents', 'show', 'edge_13105550100')).toMatchObject({
      agent: { online: true, version: expect.stringMatching(/^\d/), commands_pending: 0 },
    });
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
  });

  test('beside the gateway that has the file they work through it, and all take effect at once', async () => {
    const { json, start, gateway, data } = gatewayPlace();
    const { url } = await start();
    expect(statSync(data).mode & 0o777).toBe(0o600);
    expect(statSync(`${data}.key`).mode & 0o777).toBe(0o600);
    expect(statSync(`${data}.admin`).mode & 0o777).toBe(0o700);

    const { key, secret } = await json('keys', 'add', 'app', '--scope', 'agents:read');
    const agents = () =>
      fetch(`${url}/v1/agents`, { headers: { authorization: `Bearer ${String(secret)}` } });
    expect((await agents()).status).toBe(200);
    const { id } = key as { id: string };
    expect((await gateway('keys', 'revoke', id)).stdout).toBe(`${id} is refused from now on.\n`);
    expect((await agents()).status).toBe(401);

    await json('agents', 'add', OWN);
    const first = await json('agents', 'rotate', 'edge_13105550100');
    const second = await json('agents', 'rotate', 'edge_13105550100', '--overlap', '0');
    expect(first.secret).not.toBe(second.secret);
    expect((await json('agents', 'list')).agents).toHaveLength(1);
    expect((await gateway('agents', 'remove', 'edge_13105550100')).exitCode).toBe(0);
    expect((await json('agents')).agents).toEqual([]);
  });

  test('what is to be copied is alone on stdout, and an agent on the same machine is shown where the gateway is', async () => {
    const { gateway, start } = gatewayPlace();
    const { url } = await start('--allow-private-webhooks');
    const agent = await gateway('agents', 'add', OWN);
    expect(agent.stdout).toMatch(
      new RegExp(`^EDGE_AGENT_ID=edge_13105550100\nEDGE_SECRET=[0-9a-f]{64}\nBACKEND_URL=${url}\n$`),
    );
    expect(agent.stderr).toContain('Added edge_13105550100.');
    expect(agent.stderr).toContain('From another one: BACKEND_URL=https://');
    expect((await gateway('keys', 'add', 'app')).stdout).toMatch(/^eg_live_[\w-]+\n$/);
    const webhook = await gateway('webhooks', 'add', 'http://127.0.0.1:3000/');
    expect(webhook.stdout).toMatch(/^WEBHOOK_SECRET=whsec_\S+\n$/);
  });

  test('a webhook to which the gateway would not post is refused, and so reported where no gateway runs', async () => {
    const { gateway, start, json } = gatewayPlace();
    const before = await gateway('webhooks', 'add', 'http://127.0.0.1:3000/');
    expect(before).toMatchObject({
      exitCode: 0,
      stderr: expect.stringContaining('--allow-private-webhooks'),
    });
    await start();
    for (const url of ['http://app.example.com/', 'https://10.0.0.1/', 'http://127.0.0.1:3000/'])
      expect(await gateway('webhooks', 'add', url)).toMatchObject({
        exitCode: 1,
        stderr: expect.stringContaining('--allow-private-webhooks'),
      });
    expect((await json('webhooks')).webhooks).toHaveLength(1);
  });

  test('a webhook is added, rotated, listed with its deliveries, and removed', async () => {
    const { json, gateway } = gatewayPlace();
    const added = await json(
      'webhooks',
      'add',
      'https://app.example.com/hook',
      '--events',
      'message.received',
    );
    expect(added.secret).toMatch(/^whsec_/);
    const { id } = added.webhook as { id: string };
    expect((await json('webhooks')).webhooks).toMatchObject([
      { id, enabled: true, events: ['message.received'] },
    ]);
    expect((await json('webhooks', 'rotate', id)).secret).not.toBe(added.secret);
    expect(await json('webhooks', 'deliveries', id)).toMatchObject({ deliveries: [] });
    expect(await json('webhooks', 'replay', id, 'all')).toMatchObject({ events: [] });
    const replayed = await gateway('webhooks', 'replay', id, 'evt_none');
    expect(replayed).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining(`webhooks deliveries ${id}`),
    });
    expect((await gateway('webhooks', 'remove', id)).exitCode).toBe(0);
    expect((await json('webhooks')).webhooks).toEqual([]);
  });
});

describe('the key of the gateway', () => {
  const keyLines = (data: string) => readFileSync(`${data}.key`, 'utf8').trim().split('\n');
  test('is changed while the gateway runs: every secret is valid before, and after the next start', async () => {
    const { json, start, data } = gatewayPlace();
    const { daemon, url } = await start();
    const { secret } = await json('agents', 'add', OWN);
    const [old] = keyLines(data);
    expect(await json('rekey')).toMatchObject({ secrets: 1 });
    expect(await opens(url, secret)).toBe(200);
    const [key, ...more] = keyLines(data);
    expect([key === old, more]).toEqual([false, []]);
    await daemon.kill('SIGTERM');
    expect(await opens((await start()).url, secret)).toBe(200);
  });

  test('of a change that was begun is completed by the next one, and both keys are valid meanwhile', async () => {
    const { json, start, data } = gatewayPlace();
    const { secret } = await json('agents', 'add', OWN);
    const [old] = keyLines(data);
    const fresh = randomBytes(32).toString('base64');
    writeFileSync(`${data}.key`, `${fresh}\n${old}\n`);
    const { daemon, url } = await start();
    expect(await opens(url, secret)).toBe(200);
    await daemon.kill('SIGTERM');
    expect(await json('rekey')).toMatchObject({ secrets: 1 });
    expect(keyLines(data)).toEqual([fresh]);
    expect(await opens((await start()).url, secret)).toBe(200);
  });

  test('in the environment is changed by naming both, and alone it is not', async () => {
    const [old, fresh] = [1, 2].map(() => randomBytes(32).toString('base64'));
    const before = gatewayPlace({ GATEWAY_KEY: old });
    const { secret } = await before.json('agents', 'add', OWN);
    expect(await before.gateway('rekey')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('the new key, a comma'),
    });
    const at = (GATEWAY_KEY: string | undefined) => ({
      ...before.place,
      env: { ...before.place.env, GATEWAY_KEY },
    });
    const rekeyed = await runCli(['gateway', 'rekey', '--json'], at(`${fresh},${old}`));
    expect(JSON.parse(rekeyed.stdout)).toMatchObject({ secrets: 1 });
    const daemon = DaemonProcess.spawn(at(fresh), { verb: ['gateway', '--port', '0'] });
    onTestFinished(() => daemon.dispose());
    const { url } = JSON.parse(await daemon.line(LISTENS)) as { url: string };
    expect(await opens(url, secret)).toBe(200);
  });
});

describe('the verbs of replicas on PostgreSQL', () => {
  /** Two that run, and the verbs beside them, which reach the database alone. */
  async function twoReplicas() {
    const key = randomBytes(32).toString('base64');
    const place = gatewayPlace({ DATABASE_URL: await postgres.freshUrl(), GATEWAY_KEY: key });
    const replicas = [await place.start(), await place.start()];
    return { ...place, key, replicas, urls: replicas.map(({ url }) => url) };
  }

  test('add and remove agents and applications on each of them, with no secret in a file', async () => {
    const { json, gateway, place, urls } = await twoReplicas();
    const { secret: first } = await json('agents', 'add', OWN, '--public-url', 'https://gw.example.com');
    for (const url of urls) expect(await opens(url, first)).toBe(200);
    const { secret: second } = await json('agents', 'rotate', 'edge_13105550100');
    for (const url of urls) expect([await opens(url, first), await opens(url, second)]).toEqual([200, 200]);
    const { secret: third } = await json('agents', 'rotate', 'edge_13105550100', '--overlap', '0');
    // Word of it comes to each a moment later.
    const refuses = (url: string, secret: unknown) =>
      until(
        async () => (await opens(url, secret)) === 403,
        () => 'the refusal',
      );
    for (const url of urls) {
      await refuses(url, second);
      expect(await opens(url, third)).toBe(200);
    }
    expect((await gateway('agents', 'list')).stdout).toContain('edge_13105550100  never registered');
    const shown = await json('agents', 'show', 'edge_13105550100');
    expect(shown).toMatchObject({ agent: { online: false, commands_pending: 0 } });

    const { key, secret } = await json('keys', 'add', 'app', '--scope', 'agents:read');
    const headers = { authorization: `Bearer ${String(secret)}` };
    const asked = async (url: string) => (await fetch(`${url}/v1/agents`, { headers })).status;
    for (const url of urls) expect(await asked(url)).toBe(200);
    expect((await json('keys')).keys).toMatchObject([{ name: 'app' }]);
    await json('keys', 'revoke', (key as { id: string }).id);
    // Each is notified of it, after the commit.
    for (const url of urls)
      await until(
        async () => (await asked(url)) === 401,
        () => `the refusal of ${url}`,
      );

    const { webhook } = await json('webhooks', 'add', 'https://app.example.com/hook');
    const { id } = webhook as { id: string };
    await json('webhooks', 'rotate', id);
    expect(await json('webhooks', 'deliveries', id)).toMatchObject({ deliveries: [] });
    await json('webhooks', 'remove', id);

    await json('agents', 'remove', 'edge_13105550100');
    for (const url of urls) await refuses(url, third);
    const again = await gateway('agents', 'remove', 'edge_13105550100');
    expect(again).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('There is no agent') });
    expect(readdirSync(place.cwd)).toEqual(['gateway.uploads']);
  });

  test('change the key in the documented steps, one replica after the other, and every secret stays valid', async () => {
    const { json, place, key: old, replicas } = await twoReplicas();
    const { secret } = await json('agents', 'add', OWN);
    const fresh = randomBytes(32).toString('base64');
    const at = (GATEWAY_KEY: string): Place => ({ ...place, env: { ...place.env, GATEWAY_KEY } });
    const restart = async (keys: string) => {
      for (const [index, { daemon }] of [...replicas].entries()) {
        expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
        const next = DaemonProcess.spawn(at(keys), { verb: ['gateway', '--port', '0'] });
        onTestFinished(() => next.dispose());
        const { url } = JSON.parse(await next.line(LISTENS)) as { url: string };
        replicas[index] = { daemon: next, url };
        for (const replica of replicas) expect(await opens(replica.url, secret)).toBe(200);
      }
    };
    await restart(`${old},${fresh}`);
    await restart(`${fresh},${old}`);
    const rekeyed = await runCli(['gateway', 'rekey', '--json'], at(`${fresh},${old}`));
    expect(JSON.parse(rekeyed.stdout)).toMatchObject({ secrets: 1 });
    await restart(fresh);
    // A key that is no longer valid would seal what no replica opens.
    const refused = {
      exitCode: 78,
      stdout: '',
      stderr: expect.stringContaining('No secret in the database'),
    };
    for (const verb of [['agents', 'rotate', 'edge_13105550100'], ['keys'], ['run', '--port', '0']])
      expect(await runCli(['gateway', ...verb], at(old))).toMatchObject(refused);
    for (const { url } of replicas) expect(await opens(url, secret)).toBe(200);
  });
});

const sqlite3 = spawnSync('sqlite3', ['--version'], { stdio: 'ignore' }).status === 0;

describe('a backup', () => {
  test.skipIf(!sqlite3)(
    `by the documented command is taken while it runs, and once restored it offers again what was acked since${sqlite3 ? '' : ' (SKIPPED: there is no sqlite3 here)'}`,
    async () => {
      const { place, json, start, data } = gatewayPlace();
      const { daemon, url } = await start();
      const { secret } = await json('agents', 'add', OWN);
      const key = await json('keys', 'add', 'app');
      const authorization = `Bearer ${String(key.secret)}`;
      const ask = async (at: string, path: string, body?: unknown) => {
        const more = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
        const answer = await fetch(`${at}${path}`, { headers: { authorization }, ...more });
        return (await answer.json()) as Record<string, unknown>;
      };
      const sync = async (at: string, acked: readonly unknown[]) => {
        const result = { outcome: 'sent', message_guid: 'G1' };
        const command_acks = acked.map((id) => ({ command_id: id, status: 'completed', result }));
        const body = JSON.stringify({ command_acks });
        const answer = await fetch(`${at}/edge/sync`, {
          method: 'POST',
          headers: agentHeaders(secret),
          body,
        });
        const { commands } = (await answer.json()) as { commands: { command_id: string }[] };
        return commands.map(({ command_id }) => command_id);
      };
      const { id } = await ask(url, '/v1/messages', { to: '+13105551234', text: 'hello' });
      expect(await sync(url, [])).toEqual([id]);
      const [, line = ''] = /SQLite: `(sqlite3 [^`]+)`/.exec(page('docs/gateway.md')) ?? [];
      expect(spawnSync('sh', ['-c', line], place)).toMatchObject({ status: 0 });
      expect(await sync(url, [id])).toEqual([]);
      expect(await ask(url, `/v1/messages/${String(id)}`)).toMatchObject({ status: 'sent' });
      const later = await ask(url, '/v1/messages', { to: '+13105551234', text: 'and this' });
      await daemon.kill('SIGKILL');

      for (const left of ['', '-wal', '-shm']) rmSync(`${data}${left}`, { force: true });
      renameSync(join(place.cwd, 'backup.sqlite'), data);
      const again = await start();
      expect(await ask(again.url, `/v1/messages/${String(id)}`)).toMatchObject({ status: 'queued' });
      expect(await sync(again.url, [])).toEqual([id]);
      expect(await sync(again.url, [id])).toEqual([]);
      expect(await ask(again.url, `/v1/messages/${String(id)}`)).toMatchObject({ status: 'sent' });
      expect(await ask(again.url, `/v1/messages/${String(later.id)}`)).toMatchObject({
        error: { code: 'message_unknown' },
      });
    },
  );
});

describe('what is refused', () => {
  test('a verb that only reads creates no gateway where there is none', async () => {
    const { gateway, data } = gatewayPlace();
    const listed = await gateway('agents', 'list');
    expect(listed).toMatchObject({ exitCode: 3, stdout: '', stderr: expect.stringContaining(data) });
    expect(() => statSync(data)).toThrow();
  });

  test('beyond loopback it does not listen while no one has access', async () => {
    const { gateway, json, start } = gatewayPlace();
    const refused = await gateway('--host', '0.0.0.0', '--port', '0');
    expect(refused).toMatchObject({
      exitCode: 78,
      stderr: expect.stringContaining('neither an agent nor a key'),
    });
    await json('keys', 'add', 'app');
    const { daemon } = await start('--host', '0.0.0.0');
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
  });

  test('a lost key is not replaced by a new one, under which no secret could be opened', async () => {
    const { gateway, json, data } = gatewayPlace();
    await json('agents', 'add', OWN);
    rmSync(`${data}.key`);
    for (const args of [
      ['agents', 'rotate', 'edge_13105550100'],
      ['run', '--port', '0'],
    ]) {
      const refused = await gateway(...args);
      expect(refused).toMatchObject({
        exitCode: 78,
        stderr: expect.stringContaining('Put it back from your backup'),
      });
    }
    expect(() => statSync(`${data}.key`)).toThrow();
  });

  test('uploads in a bucket without credentials, or at no server, are reported before anything starts', async () => {
    for (const [bucket, env, words] of [
      ['s3://texts', {}, 'AWS_ACCESS_KEY_ID'],
      ['s3://A_b/c', {}, 's3://bucket/prefix'],
      [
        's3://texts',
        { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b', AWS_ENDPOINT_URL_S3: 'minio:9000' },
        'AWS_ENDPOINT_URL_S3',
      ],
    ] as const)
      expect(await gatewayPlace(env).gateway('--port', '0', '--uploads', bucket)).toMatchObject({
        exitCode: 78,
        stderr: expect.stringContaining(words),
      });
  });

  test('a second gateway on the same file is refused, and the first continues', async () => {
    const { gateway, start } = gatewayPlace();
    const { url } = await start();
    expect((await gateway('--port', '0')).exitCode).toBe(1);
    expect((await fetch(`${url}/ready`)).status).toBe(200);
  });

  test('the command line reports what is wrong with an address, a scope or a URL', async () => {
    const { gateway } = gatewayPlace();
    for (const [args, words] of [
      [['agents', 'add', '12'], 'such as +13105550100'],
      [['keys', 'add', 'app', '--scope', 'messages:read,everything'], 'found "everything"'],
      [['webhooks', 'add', 'ftp://app.example.com'], 'url: expected an https URL'],
      [['agents', 'ad'], 'Did you mean add?'],
      [['--port', 'eighty'], 'from 0 to 65535'],
      [['--port', '99999'], 'from 0 to 65535'],
      [['--keep-days', '0'], 'from 1 to 36500'],
    ] as const) {
      const { exitCode, stderr } = await gateway(...args);
      expect([exitCode, stderr]).toEqual([2, expect.stringContaining(words)]);
    }
  });
});
