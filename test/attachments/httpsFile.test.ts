import type { LookupAddress } from 'node:dns';
import type { ServerResponse } from 'node:http';
import { describe, expect, test } from 'vitest';
import { type HttpsFileOptions, httpsFile, urlFault } from '../../src/attachments/httpsFile.js';
import { systemClock } from '../../src/system/clock.js';
import {
  checkedLookup,
  type FindAddresses,
  isPublicAddress,
  PrivateAddressError,
} from '../../src/system/publicAddresses.js';
import { connectProxy } from '../support/ConnectProxy.js';
import { outboundBy } from '../support/outbound.js';
import { type HttpsHost, httpsHost } from './HttpsHost.js';

const HERE: FindAddresses = (_host, found) => found(null, [{ address: '127.0.0.1', family: 4 }]);

/** The server is on this machine, whose address is taken for a public one. */
function get(host: HttpsHost, path: string, more: Partial<HttpsFileOptions> = {}) {
  return httpsFile(host.url(path), {
    clock: systemClock,
    maxBytes: 1000,
    timeoutMs: 5_000,
    mayReach: (address) => address === '127.0.0.1' || isPublicAddress(address),
    stop: new AbortController().signal,
    findAddresses: HERE,
    outbound: outboundBy({ ca: host.ca }),
    proxyResolves: false,
    ...more,
  });
}

function file(response: ServerResponse, body: string | Buffer, headers: Record<string, string> = {}): void {
  response.writeHead(200, { 'Content-Type': 'image/png', ...headers }).end(body);
}

describe('a file by https', () => {
  test('is downloaded as it is, without credentials', async () => {
    const host = await httpsHost((_request, response) => file(response, Buffer.from([0, 255, 13, 10])));
    expect(await get(host, '/a.png')).toEqual({
      kind: 'file',
      bytes: Buffer.from([0, 255, 13, 10]),
      type: 'image/png',
    });
    expect(Object.keys(host.asked[0]?.headers ?? {})).not.toContain('authorization');
    expect(host.asked[0]?.headers['accept-encoding']).toBe('identity');
  });

  test('is followed over three redirects and no more', async () => {
    const host = await httpsHost(({ url = '' }, response) => {
      const left = Number(url.slice(1));
      if (left === 0) file(response, 'here');
      else response.writeHead(302, { Location: `/${left - 1}` }).end();
    });
    expect(await get(host, '/3')).toMatchObject({ kind: 'file' });
    expect(await get(host, '/4')).toEqual({ kind: 'refused', message: 'it is redirected more than 3 times' });
  });

  test.each([
    ['http', 'http://files.example/x', 'it is not an https URL'],
    ['a file of this machine', 'file:///etc/passwd', 'it is not an https URL'],
    ['a user name', 'https://me:secret@files.example/x', 'it holds a user name or password'],
  ])('is not followed to %s', async (_, location, fault) => {
    const host = await httpsHost((_request, response) =>
      response.writeHead(307, { Location: location }).end(),
    );
    expect(await get(host, '/')).toEqual({ kind: 'refused', message: `redirected: ${fault}` });
  });

  test.each([
    [
      'a page',
      { 'Content-Type': 'text/html; charset=utf-8' },
      'it is of the type "text/html", which is not sent',
    ],
    ['a program', { 'Content-Type': 'application/x-msdownload' }, 'which is not sent'],
    ['of no type', { 'Content-Type': '' }, 'it is of the type ""'],
    ['compressed', { 'Content-Encoding': 'gzip' }, 'it is compressed'],
    ['larger than it may be, and says so', { 'Content-Length': '1001' }, 'it is larger than 1000 bytes'],
  ])('that is %s is refused before it is read', async (_, headers, message) => {
    const host = await httpsHost((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'image/png', ...(headers as Record<string, string>) });
      response.write('x');
    });
    expect(await get(host, '/')).toEqual({ kind: 'refused', message: expect.stringContaining(message) });
  });

  test('that is larger than announced is cut off', async () => {
    const host = await httpsHost((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'image/png' });
      response.write(Buffer.alloc(1001));
    });
    expect(await get(host, '/')).toMatchObject({
      kind: 'refused',
      message: expect.stringContaining('larger'),
    });
  });

  test('that breaks off, whose server fails, or is too slow may be requested again', async () => {
    const host = await httpsHost(({ url }, response) => {
      if (url === '/slow') return;
      if (url === '/503') {
        response.writeHead(503).end();
        return;
      }
      response.writeHead(200, { 'Content-Type': 'image/png', 'Content-Length': '10' });
      response.write('12345');
      setImmediate(() => response.destroy());
    });
    expect(await get(host, '/broken')).toMatchObject({ kind: 'failed' });
    expect(await get(host, '/503')).toEqual({ kind: 'failed', message: 'its server answers 503' });
    expect(await get(host, '/slow', { timeoutMs: 50 })).toEqual({
      kind: 'failed',
      message: 'it did not arrive within 0.05 s',
    });
  });

  test('that does not exist, or is empty, is refused', async () => {
    const host = await httpsHost(({ url }, response) => {
      if (url === '/empty') file(response, '');
      else response.writeHead(404).end();
    });
    expect(await get(host, '/')).toEqual({ kind: 'refused', message: 'its server answers 404' });
    expect(await get(host, '/empty')).toEqual({ kind: 'refused', message: 'it is empty' });
  });

  test('is not accepted from a server that cannot prove its name', async () => {
    const host = await httpsHost((_request, response) => file(response, 'x'));
    const strange = await httpsHost((_request, response) => file(response, 'x'));
    expect(await get(host, '/', { outbound: outboundBy({ ca: strange.ca }) })).toMatchObject({
      kind: 'failed',
    });
    expect(host.asked).toEqual([]);
  });

  test('is abandoned when the agent stops', async () => {
    const host = await httpsHost(() => undefined);
    const stopping = new AbortController();
    const got = get(host, '/', { stop: stopping.signal });
    setImmediate(() => stopping.abort());
    expect(await got).toEqual({ kind: 'stopped' });
  });
});

describe('a private address', () => {
  test('is never connected to by name', async () => {
    const host = await httpsHost((_request, response) => file(response, 'secret'));
    expect(await get(host, '/', { mayReach: isPublicAddress })).toEqual({
      kind: 'refused',
      message: new PrivateAddressError().message,
    });
    expect(host.asked).toEqual([]);
  });

  test.each([
    'https://127.0.0.1/x',
    'https://2130706433/x',
    'https://0x7f.1/x',
    'https://[::1]/x',
    'https://[::ffff:127.0.0.1]/x',
    'https://169.254.169.254/latest/meta-data',
    'https://10.0.0.1:8443/x',
  ])('is refused when written literally: %s', (url) => {
    expect(urlFault(url, isPublicAddress)).toBe(new PrivateAddressError().message);
    expect(urlFault(url, () => true)).toBeUndefined();
  });

  test('is not reached by a redirect, by address or by name', async () => {
    const host = await httpsHost(({ url }, response) => {
      const location = url === '/name' ? 'https://inside.example/' : 'https://10.0.0.1/';
      response.writeHead(302, { Location: location }).end();
    });
    const findAddresses: FindAddresses = (name, found) =>
      found(null, [{ address: name === 'inside.example' ? '192.168.0.1' : '127.0.0.1', family: 4 }]);
    const { message } = new PrivateAddressError();
    expect(await get(host, '/', { findAddresses })).toEqual({
      kind: 'refused',
      message: `redirected: ${message}`,
    });
    expect(await get(host, '/name', { findAddresses })).toEqual({ kind: 'refused', message });
  });

  const look = (addresses: LookupAddress[], all: boolean) => {
    let asked = 0;
    const find: FindAddresses = (_host, found) => {
      asked += 1;
      found(null, asked === 1 ? addresses : [{ address: '127.0.0.1', family: 4 }]);
    };
    return new Promise((resolve) => {
      checkedLookup(isPublicAddress, find)('files.example', { all }, (error, address, family) =>
        resolve(error ?? [address, family, asked]),
      );
    });
  };

  test('among public ones has the whole name refused', async () => {
    const mixed = [
      { address: '93.184.216.34', family: 4 },
      { address: '10.0.0.1', family: 4 },
    ];
    expect(await look(mixed, true)).toBeInstanceOf(PrivateAddressError);
    expect(await look(mixed, false)).toBeInstanceOf(PrivateAddressError);
  });

  test('cannot be swapped in between check and connection: the checked address itself is used', async () => {
    const good = [{ address: '93.184.216.34', family: 4 }];
    expect(await look(good, false)).toEqual(['93.184.216.34', 4, 1]);
    expect(await look(good, true)).toEqual([good, undefined, 1]);
  });
});

describe('a file by https, through a proxy', () => {
  const by = (url: string) => ({ url, place: 'backend.proxy', isOfProcess: false });

  test('is requested at the address that was checked, with its certificate checked against its name', async (context) => {
    const host = await httpsHost((_request, response) => file(response, 'here'));
    const proxy = await connectProxy({ hosts: { [`198.51.101.7:${host.port}`]: host.port } }, context);
    const outbound = outboundBy({ https: by(proxy.url), ca: host.ca });
    const found: FindAddresses = (_host, tell) => tell(null, [{ address: '198.51.101.7', family: 4 }]);
    expect(await get(host, '/a.png', { outbound, findAddresses: found })).toMatchObject({ kind: 'file' });
    expect(proxy.asked).toEqual([`198.51.101.7:${host.port}`]);
    expect(host.asked[0]?.headers.host).toBe(`files.example:${host.port}`);
    const stranger = outboundBy({ https: by(proxy.url) });
    expect(await get(host, '/', { outbound: stranger, findAddresses: found })).toMatchObject({
      kind: 'failed',
    });
  });

  test('is not requested where its name resolves into a private network', async (context) => {
    const host = await httpsHost((_request, response) => file(response, 'here'));
    const proxy = await connectProxy({ hosts: {} }, context);
    const outbound = outboundBy({ https: by(proxy.url), ca: host.ca });
    const found: FindAddresses = (_host, tell) => tell(null, [{ address: '10.0.0.7', family: 4 }]);
    const message = new PrivateAddressError().message;
    expect(await get(host, '/', { outbound, findAddresses: found })).toEqual({ kind: 'refused', message });
    expect(proxy.asked).toEqual([]);
  });

  test('is requested by its name where the operator allows every address', async (context) => {
    const host = await httpsHost((_request, response) => file(response, 'here'));
    const proxy = await connectProxy({ hosts: { [`files.example:${host.port}`]: host.port } }, context);
    const outbound = outboundBy({ https: by(proxy.url), ca: host.ca });
    const unknown: FindAddresses = (_host, tell) => tell(new Error('no such name'), []);
    const got = await get(host, '/', { outbound, findAddresses: unknown, proxyResolves: true });
    expect(got).toMatchObject({ kind: 'file' });
  });
});
