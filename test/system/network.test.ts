import { expect, test } from 'vitest';
import { type NamedProxy, proxyFor, proxyName } from '../../src/system/network.js';

const proxy: NamedProxy = { url: 'http://u:p@proxy.example:3128', place: 'here', isOfProcess: false };
const goesBy = (noProxy: string, url: string) =>
  proxyFor({ https: proxy, http: proxy, noProxy }, new URL(url)) !== undefined;

test.each([
  'https://localhost/x',
  'http://127.0.0.1:8000/',
  'https://127.8.9.1/',
  'wss://[::1]:99/',
  // The same address, in a spelling that URL makes a dotted quad.
  'http://0x7f.1/',
])('what is on this machine is never reached through a proxy: %s', (url) => {
  expect(goesBy('', url)).toBe(false);
});

test.each([
  ['example.com', 'https://example.com/', false],
  ['example.com', 'https://a.b.example.com/', false],
  ['.example.com', 'https://a.example.com/', false],
  ['*.example.com', 'wss://a.example.com/', false],
  ['EXAMPLE.com', 'https://Example.COM/', false],
  ['example.com', 'https://notexample.com/', true],
  ['example.com', 'https://example.com.evil.net/', true],
  ['other.net, example.com', 'https://example.com/', false],
  ['other.net example.com', 'https://example.com./', false],
  ['example.com:8443', 'https://example.com:8443/', false],
  ['example.com:8443', 'https://example.com/', true],
  ['example.com:443', 'https://example.com/', false],
  ['example.com:443', 'wss://example.com/', false],
  ['*', 'https://anything.example/', false],
  ['10.0.0.0/8', 'https://10.20.30.40/', false],
  ['10.0.0.0/8', 'https://11.0.0.1/', true],
  ['10.0.0.7', 'https://10.0.0.7/', false],
  ['0.0.7', 'https://10.0.0.7/', true],
  ['10.0.0.0/99', 'https://10.0.0.1/', true],
  ['fd00::/8', 'https://[fd12::1]/', false],
  ['[fd12::1]:8443', 'https://[fd12::1]:8443/', false],
  ['fd12::1', 'https://[fd12::2]/', true],
  ['', 'https://example.com/', true],
  [' , ', 'https://example.com/', true],
])('NO_PROXY=%j: %s is reached through the proxy: %s', (noProxy, url, expected) => {
  expect(goesBy(noProxy, url)).toBe(expected);
});

test('a proxy for https is not used for http', () => {
  expect(proxyFor({ https: proxy, noProxy: '' }, new URL('http://example.com/'))).toBeUndefined();
  expect(proxyFor({ https: proxy, noProxy: '' }, new URL('wss://example.com/'))).toBe(proxy);
});

test('a proxy is shown without its user and password', () => {
  expect(proxyName(proxy)).toBe('http://proxy.example:3128');
});
