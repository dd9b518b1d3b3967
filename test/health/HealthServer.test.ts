import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { HealthServer } from '../../src/health/HealthServer.js';
import { RecordingLog } from '../support/RecordingLog.js';

let problems: { code: string; since: string }[] = [];
let notices: { code: string; since: string }[] = [];
const vital_signs = { can_read: 'ok', is_answered: 'not_yet_known' };
let server: HealthServer | undefined;
const log = new RecordingLog();

afterEach(async () => {
  problems = [];
  notices = [];
  await server?.close();
});

async function open(): Promise<number> {
  const metrics = {
    contentType: 'text/plain; version=0.0.4',
    text: () => Promise.resolve('edge_agent_info 1\n'),
  };
  const health = () => ({
    status: problems.length + notices.length === 0 ? ('healthy' as const) : ('degraded' as const),
    problems,
    notices,
    vital_signs,
  });
  server = await HealthServer.listen(0, { version: '1.2.3', health, metrics }, log);
  return server?.port ?? 0;
}

interface Answer {
  status: number | undefined;
  body: string;
  type: string | undefined;
}
function ask(port: number, path: string, more: { method?: string; host?: string } = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = more.host === undefined ? {} : { Host: more.host };
    const asked = request(
      { host: '127.0.0.1', port, path, method: more.method ?? 'GET', headers },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          body += chunk;
        });
        response.on('end', () =>
          resolve({ status: response.statusCode, body, type: response.headers['content-type'] }),
        );
      },
    );
    asked.on('error', reject);
    asked.end();
  });
}

describe('health by HTTP', () => {
  test('is live, is ready or says by codes why not', async () => {
    const port = await open();
    expect(await ask(port, '/health')).toMatchObject({
      status: 200,
      body: '{"status":"healthy","version":"1.2.3"}\n',
    });
    const ready = await ask(port, '/ready');
    expect(ready.status).toBe(200);
    expect(JSON.parse(ready.body)).toEqual({ ready: true, problems: [], notices: [], vital_signs });
    problems = [{ code: 'backend_unreachable', since: '2026-01-01T00:00:00.000Z' }];
    expect(await ask(port, '/health')).toMatchObject({
      status: 200,
      body: expect.stringContaining('degraded'),
    });
    const notReady = await ask(port, '/ready?verbose=1');
    expect(notReady.status).toBe(503);
    expect(JSON.parse(notReady.body)).toEqual({ ready: false, problems, notices: [], vital_signs });
    expect(await ask(port, '/metrics')).toEqual({
      status: 200,
      body: 'edge_agent_info 1\n',
      type: 'text/plain; version=0.0.4',
    });
  });

  test('is ready with a notice, and reports it', async () => {
    const port = await open();
    notices = [{ code: 'config_needs_restart', since: '2026-01-01T00:00:00.000Z' }];
    const { status, body } = await ask(port, '/ready');
    expect(status).toBe(200);
    expect(JSON.parse(body)).toMatchObject({ ready: true, problems: [], notices });
  });

  test.each([
    'evil.example.com',
    '192.168.0.5',
    '127.0.0.1.evil.example.com',
    'localhost.evil.example.com:80',
  ])('answers no page that uses the name %s', async (host) => {
    const port = await open();
    expect(await ask(port, '/metrics', { host })).toMatchObject({ status: 403 });
  });

  test('answers to every name of this machine', async () => {
    const port = await open();
    for (const host of [`localhost:${port}`, 'LOCALHOST', '127.0.0.1', `[::1]:${port}`]) {
      expect((await ask(port, '/health', { host })).status, host).toBe(200);
    }
  });

  test('accepts only GET and HEAD, and has no other paths', async () => {
    const port = await open();
    expect((await ask(port, '/health', { method: 'POST' })).status).toBe(405);
    expect((await ask(port, '/')).status).toBe(404);
    expect(await ask(port, '/health', { method: 'HEAD' })).toMatchObject({ status: 200, body: '' });
  });

  test('cannot be served on a port in use, which is reported', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    const metrics = { contentType: '', text: () => Promise.resolve('') };
    const health = () => ({ status: 'healthy' as const, problems, notices, vital_signs });
    await expect(HealthServer.listen(port, { version: '', health, metrics }, log)).rejects.toMatchObject({
      code: 'EADDRINUSE',
    });
    await new Promise((resolve) => other.close(resolve));
  });
});
