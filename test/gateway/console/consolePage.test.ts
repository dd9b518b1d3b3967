import { once } from 'node:events';
import { createServer, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ConsolePage } from '../../../src/gateway/console/ConsolePage.js';
import { ROOT } from '../../docs/page.js';

/** The page alone on a port; what is not for it is answered 418. */
async function served(): Promise<string> {
  const page = new ConsolePage(join(ROOT, 'dist/gateway-page'));
  const server = createServer((request, response) => {
    if (!page.serve(request, response)) response.writeHead(418).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('the page lets nothing run or load but its own files and its own server', async () => {
  const origin = await served();
  for (const path of ['/console/', '/console/console.js', '/console/console.css', '/console/nothing.js']) {
    const { headers } = await fetch(origin + path);
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("connect-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|\*|http/);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  }
});

test('it is found with and without a slash, and behind a proxy that puts it elsewhere', async () => {
  const origin = await served();
  const moved = await fetch(`${origin}/console`, { redirect: 'manual' });
  expect([moved.status, moved.headers.get('location')]).toEqual([308, 'console/']);
  const html = await (await fetch(`${origin}/console`)).text();
  expect(html).toContain('<script type="module" src="console.js">');
  expect(html).not.toMatch(/(src|href)="(\/|http)/);
});

test('nothing outside of its directory is served, and nothing is accepted', async () => {
  const origin = await served();
  for (const path of [
    '/../../package.json',
    '/..%2f..%2fpackage.json',
    '/%2e%2e/monitor-page/index.html',
    '/%ff',
  ])
    expect(await statusOf(`${origin}/console`, path), path).toBe(404);
  expect((await fetch(`${origin}/console/`, { method: 'POST', body: 'x' })).status).toBe(405);
  expect((await fetch(`${origin}/consoles`)).status).toBe(418);
});

/** The status of a path as it is written here: `fetch` would resolve its dots. */
async function statusOf(base: string, path: string): Promise<number | undefined> {
  const { hostname, port, pathname } = new URL(base);
  const [response] = await once(get({ hostname, port, path: pathname + path }), 'response');
  const { statusCode } = (response as IncomingMessage).resume();
  return statusCode;
}
