import * as https from 'node:https';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import type { Network } from '../../src/system/network.js';
import { Outbound } from '../../src/system/Outbound.js';
import { connectProxy } from '../support/ConnectProxy.js';
import { certificate } from '../support/certificate.js';
import { outboundBy } from '../support/outbound.js';
import { until } from '../support/until.js';

const CLEANUP = { onTestFinished };

async function host() {
  const own = certificate();
  const heard: string[] = [];
  const server: Server = createServer(own, (request, response) => {
    heard.push(`${request.method} ${request.url} ${request.headers.authorization ?? ''}`);
    response.end('here');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { ca: own.cert, heard, port: (server.address() as AddressInfo).port };
}

const by = (url: string) => ({ url, place: 'backend.proxy', isOfProcess: false });

/** The answer, or the message of the error. */
function get(outbound: Outbound, address: string): Promise<string> {
  return new Promise((resolve) => {
    const url = new URL(address);
    const options = { ...outbound.once(url), headers: { Authorization: 'Bearer s3cret' } };
    const request = https.get(url, options, (response) => {
      response.on('data', (chunk: Buffer) => resolve(`${response.statusCode} ${chunk}`));
      response.on('end', () => resolve(String(response.statusCode)));
    });
    request.on('error', (error) => resolve(error.message));
  });
}

test('a request goes through the tunnel, and the proxy sees the name of the host alone', async () => {
  const { ca, port, heard } = await host();
  const proxy = await connectProxy({ hosts: { 'files.example:443': port } }, CLEANUP);
  const outbound = outboundBy({ https: by(proxy.url), ca });
  expect(await get(outbound, 'https://files.example/secret-path')).toBe('200 here');
  expect(proxy.asked).toEqual(['files.example:443']);
  expect(heard).toEqual(['GET /secret-path Bearer s3cret']);
  expect(proxy.passed()).not.toMatch(/secret-path|s3cret/);
});

test('user name and password of the proxy are sent to it, decoded', async () => {
  const { ca, port } = await host();
  const credentials = 'ann@corp:p%:/ä';
  const proxy = await connectProxy({ hosts: { 'files.example:443': port }, credentials }, CLEANUP);
  const at = (user: string) => by(proxy.url.replace('://', `://${user}@`));
  const right = `${encodeURIComponent('ann@corp')}:${encodeURIComponent('p%:/ä')}`;
  expect(await get(outboundBy({ https: at(right), ca }), 'https://files.example/')).toBe('200 here');
  const wrong = await get(outboundBy({ https: at('ann:wr0ng'), ca }), 'https://files.example/');
  expect(wrong).toMatch(
    /^the proxy http:\/\/127.0.0.1:\d+ opens no connection: it needs a user name and pass/,
  );
  expect(wrong).not.toMatch(/ann|wr0ng/);
});

test.each([200 + 1, 301, 401, 403, 502])(
  'an answer of the proxy (%i) is never taken for an answer of the host',
  async (status) => {
    const { ca, port, heard } = await host();
    const proxy = await connectProxy({ hosts: { 'files.example:443': port }, status }, CLEANUP);
    const outbound = outboundBy({ https: by(proxy.url), ca });
    expect(await get(outbound, 'https://files.example/')).toContain(`it answers HTTP ${status}`);
    expect(heard).toEqual([]);
    await until(
      () => proxy.open() === 0,
      () => 'the end of the connection to the proxy',
    );
  },
);

test('a proxy that is unreachable is named, and no other route is tried', async () => {
  const { ca, heard } = await host();
  const outbound = outboundBy({ https: by('http://127.0.0.1:1'), ca });
  expect(await get(outbound, 'https://files.example/')).toMatch(
    /^the proxy http:\/\/127.0.0.1:1 opens no connection: .*ECONNREFUSED/,
  );
  expect(heard).toEqual([]);
});

test('a proxy that never answers is given up, and its connection closed', async () => {
  const proxy = await connectProxy({ hosts: {}, isMute: true }, CLEANUP);
  const network = { noProxy: '', https: by(proxy.url) };
  const outbound = new Outbound(() => network, 50);
  expect(await get(outbound, 'https://files.example/')).toContain('no answer within 0.05 s');
  await until(
    () => proxy.open() === 0,
    () => 'the end of the connection to the proxy',
  );
});

test.each([
  ['a name', 'other.example'],
  ['an address', '10.1.2.3'],
  // The name that Node would judge by is that of the proxy, which the certificate has.
  ['an address, by a proxy whose name the certificate has', '10.1.2.4'],
])('within a tunnel the certificate must be of the host: %s', async (_, name) => {
  const { ca, port, heard } = await host();
  const proxy = await connectProxy({ hosts: { [`${name}:443`]: port } }, CLEANUP);
  const url = proxy.url.replace('127.0.0.1', 'localhost');
  const outbound = outboundBy({ https: by(url), ca });
  expect(await get(outbound, `https://${name}/`)).toMatch(/does not match certificate's altnames/);
  expect(heard).toEqual([]);
});

test('within a tunnel a certificate that cannot be verified is refused', async () => {
  const { port, heard } = await host();
  const proxy = await connectProxy({ hosts: { 'files.example:443': port } }, CLEANUP);
  expect(await get(outboundBy({ https: by(proxy.url) }), 'https://files.example/')).toMatch(
    /self-signed certificate/,
  );
  const stranger = outboundBy({ https: by(proxy.url), ca: certificate().cert });
  expect(await get(stranger, 'https://files.example/')).toMatch(/certificate/);
  expect(heard).toEqual([]);
});

test('a proxy that uses TLS must have a trusted certificate, too', async () => {
  const { ca, port } = await host();
  const untrusted = outboundBy({ https: by(`https://localhost:${port}`) });
  expect(await get(untrusted, 'https://files.example/')).toMatch(/the proxy .* self-signed certificate/);
  // It is no proxy: it does not answer CONNECT by opening a tunnel, but TLS was fine.
  const trusted = outboundBy({ https: by(`https://localhost:${port}`), ca });
  expect(await get(trusted, 'https://files.example/')).not.toMatch(/certificate/);
});

test('what Node trusts by default is trusted beside a file of certificates', async () => {
  const { port, ca } = await host();
  const outbound = outboundBy({ ca: certificate().cert });
  expect(await get(outbound, `https://localhost:${port}/`)).toMatch(/self-signed|certificate/);
  expect(await get(outboundBy({ ca: `${certificate().cert}${ca}` }), `https://localhost:${port}/`)).toBe(
    '200 here',
  );
});

test('another proxy and other certificates apply to the next connection', async () => {
  const { ca, port } = await host();
  const proxy = await connectProxy({ hosts: { 'files.example:443': port } }, CLEANUP);
  let network: Network = { noProxy: '', https: by('http://127.0.0.1:1') };
  const outbound = new Outbound(() => network);
  const before = outbound.route(new URL('https://files.example/'));
  expect(outbound.route(new URL('https://files.example/other'))).toBe(before);
  network = { noProxy: '', https: by(proxy.url), ca };
  expect(outbound.route(new URL('https://files.example/'))).not.toBe(before);
  expect(await get(outbound, 'https://files.example/')).toBe('200 here');
});
