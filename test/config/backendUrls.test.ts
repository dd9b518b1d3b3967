import { describe, expect, test } from 'vitest';
import { httpBase, loggableUrl, parseBackendUrl, webSocketUrl } from '../../src/config/backendUrls.js';

const at = (url: string, websocket_url?: string) => ({ backend: { url, websocket_url } });

test.each([
  ['https://b.example', 'https://b.example', 'wss://b.example/edge/ws?edge_agent_id=edge_1'],
  ['wss://b.example/', 'https://b.example', 'wss://b.example/edge/ws?edge_agent_id=edge_1'],
  ['https://b.example/v1/', 'https://b.example/v1', 'wss://b.example/v1/edge/ws?edge_agent_id=edge_1'],
  [
    'https://b.example:8443/edge/ws',
    'https://b.example:8443',
    'wss://b.example:8443/edge/ws?edge_agent_id=edge_1',
  ],
  ['http://127.0.0.1:3000', 'http://127.0.0.1:3000', 'ws://127.0.0.1:3000/edge/ws?edge_agent_id=edge_1'],
  ['ws://[::1]:80/', 'http://[::1]', 'ws://[::1]/edge/ws?edge_agent_id=edge_1'],
])('%s is asked at %s and dialled at %s', (url, http, socket) => {
  expect(httpBase(at(url))).toBe(http);
  expect(webSocketUrl(at(url), 'edge_1')).toBe(socket);
});

describe('websocket_url', () => {
  test.each([
    ['wss://w.example/edge/ws', 'wss://w.example/edge/ws?edge_agent_id=a'],
    ['https://w.example', 'wss://w.example/edge/ws?edge_agent_id=a'],
    ['wss://w.example/p/', 'wss://w.example/p/edge/ws?edge_agent_id=a'],
    [
      'wss://w.example/edge/ws/?edge_agent_id={edge_agent_id}&k=v',
      'wss://w.example/edge/ws?k=v&edge_agent_id=a',
    ],
  ])('%s is dialled at %s', (url, dialled) => {
    expect(webSocketUrl(at('https://b.example', url), 'a')).toBe(dialled);
  });
});

test('an id cannot inject anything into the URL', () => {
  expect(webSocketUrl(at('https://b.example'), 'a&b=c#d')).toBe(
    'wss://b.example/edge/ws?edge_agent_id=a%26b%3Dc%23d',
  );
});

test.each([
  'http://localhost:1',
  'ws://127.0.0.1',
  'http://127.255.0.9',
  'http://127.1',
  'http://[::1]:9',
  'https://b.example',
  'wss://10.0.0.1',
])('%s is usable', (url) => {
  expect(parseBackendUrl(url).kind).toBe('usable');
});

test.each([
  ['http://b.example', 'https:// or wss://, because'],
  ['ws://10.0.0.1', 'https:// or wss://, because'],
  ['http://127.0.0.1.example.com', 'https:// or wss://, because'],
  ['http://localhost.example.com', 'https:// or wss://, because'],
  ['http://0.0.0.0', 'https:// or wss://, because'],
  ['http://128.0.0.1', 'https:// or wss://, because'],
  ['http://127.0.0.1@b.example', 'without user name'],
  ['https://me:pw@b.example', 'without user name'],
  ['ftp://b.example', 'begins with https://'],
  ['localhost:3000', 'begins with https://'],
  ['b.example', 'a URL such as'],
  ['https://', 'a URL such as'],
  ['', 'a URL such as'],
])('%s is refused', (url, reason) => {
  expect(parseBackendUrl(url)).toEqual({ kind: 'refused', expected: expect.stringContaining(reason) });
});

test.each([
  [
    'wss://b.example/edge/ws?edge_agent_id=edge_1&key=s3cret',
    'wss://b.example/edge/ws?edge_agent_id=edge_1&key=[secret]',
  ],
  ['wss://b.example/edge/ws?token=a%26b&x', 'wss://b.example/edge/ws?token=[secret]&x=[secret]'],
  ['ws://127.0.0.1:8080/edge/ws?edge_agent_id=edge_1', 'ws://127.0.0.1:8080/edge/ws?edge_agent_id=edge_1'],
  ['https://b.example/base#t=1', 'https://b.example/base'],
  ['me:pw@no url', '…@no url'],
])('%s is logged as %s', (url, shown) => {
  expect(loggableUrl(url)).toBe(shown);
});
