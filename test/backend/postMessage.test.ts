import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeBackend } from '../support/FakeBackend.js';
import { makeBackend, type Running } from '../support/startBackend.js';

describe('posting a message', () => {
  let fake: FakeBackend;
  let running: Running;

  beforeEach(async () => {
    fake = await FakeBackend.start();
    running = makeBackend(fake, { settings: { requestTimeoutSeconds: 60 } });
  });
  afterEach(async () => {
    await running.stop();
    await fake.stop();
  });

  const post = () => running.backend.postMessage({ filtered_text: 'hi' }, 'GUID-1');

  test('carries credentials, agent id and idempotency key, under the path prefix', async () => {
    running.settings.httpBase = `${fake.url}/prefix/`;
    fake.on('/prefix/edge/message', { body: { should_respond: true, reply_text: 'hello' } });
    expect(await post()).toEqual({ kind: 'answered', body: { should_respond: true, reply_text: 'hello' } });
    expect(fake.calls[0]?.headers).toMatchObject({
      'idempotency-key': 'GUID-1',
      'x-edge-agent-id': 'edge_13105550100',
    });
    expect(fake.calls[0]?.headers.authorization).toMatch(/^Bearer /);
    expect(fake.calls[0]?.body).toEqual({ filtered_text: 'hi' });
  });

  test.each([
    [409, { kind: 'known' }],
    [400, { kind: 'rejected', status: 400 }],
    [413, { kind: 'rejected', status: 413 }],
    [415, { kind: 'rejected', status: 415 }],
    [422, { kind: 'rejected', status: 422 }],
    [401, { kind: 'retry', cause: 'unauthorised' }],
    [403, { kind: 'retry', cause: 'unauthorised' }],
    [404, { kind: 'retry', cause: 'not_found' }],
    [408, { kind: 'retry', cause: 'busy' }],
    [425, { kind: 'retry', cause: 'busy' }],
    [429, { kind: 'retry', cause: 'busy', retryAfterMs: 3_000 }],
    [500, { kind: 'retry', cause: 'server' }],
    [503, { kind: 'retry', cause: 'server', retryAfterMs: 3_000 }],
    [418, { kind: 'retry', cause: 'other' }],
  ])('maps %i to what it means for the message', async (status, expected) => {
    fake.on('/edge/message', { status, headers: { 'Retry-After': '3' }, body: '{}' });
    expect(await post()).toMatchObject(expected);
  });

  test('reports it before the request is repeated because a kept connection was closed under it', async () => {
    const seen: string[] = [];
    let connections = 0;
    const server = createServer((socket) => {
      connections += 1;
      const isKept = connections === 1;
      let requests = 0;
      socket.on('error', () => undefined);
      socket.on('data', () => {
        requests += 1;
        seen.push('read');
        if (isKept && requests === 2) socket.resetAndDestroy();
        else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    running.settings.httpBase = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    running.settings.requestTimeoutSeconds = 20;
    const progress = { onWritten: () => seen.push('written'), onResend: () => seen.push('again') };
    const posted = () => running.backend.postMessage({}, 'GUID-1', progress);
    expect(await posted()).toMatchObject({ kind: 'answered' });
    expect(await posted()).toMatchObject({ kind: 'answered' });
    expect(seen).toEqual(['written', 'read', 'written', 'read', 'again', 'written', 'read']);
    await running.stop();
    await new Promise((resolve) => server.close(resolve));
  });

  test.each([401, 404, 429, 500, 502, 503])(
    '%i: a backend that answers may have read the message, and be working on its reply',
    async (status) => {
      fake.on('/edge/message', { status, body: '{}' });
      expect(await post()).not.toHaveProperty('unread');
    },
  );

  test('a backend that was not reached has read nothing; one that accepted the request and is silent may have', async () => {
    fake.on('/edge/message', () => new Promise(() => undefined));
    running.settings.requestTimeoutSeconds = 0.2;
    expect(await post()).not.toHaveProperty('unread');
    running.settings.requestTimeoutSeconds = 60;
    await fake.stop();
    expect(await post()).toMatchObject({ kind: 'retry', cause: 'network', unread: true });
  });

  test('does not accept a 2xx without JSON as an answer', async () => {
    fake.on('/edge/message', { body: '<html>log in to the hotel</html>' });
    expect(await post()).toMatchObject({ kind: 'retry', cause: 'server' });
    fake.on('/edge/message', { status: 204, body: null });
    expect(await post()).toMatchObject({ kind: 'retry', cause: 'server' });
  });

  test('does not follow a redirect, and names its target', async () => {
    fake.on('/edge/message', { status: 307, headers: { Location: 'https://elsewhere.example/x' } });
    expect(await post()).toMatchObject({
      kind: 'retry',
      cause: 'other',
      detail: expect.stringContaining('elsewhere.example'),
    });
  });

  test('ends at its deadline when no answer comes', async () => {
    running.settings.requestTimeoutSeconds = 0.2;
    fake.on('/edge/message', () => new Promise(() => undefined));
    expect(await post()).toMatchObject({ kind: 'retry', cause: 'timeout' });
  });

  test('limits how much it reads', async () => {
    running.settings.requestTimeoutSeconds = 10;
    fake.on('/edge/message', { body: `"${'x'.repeat(17 * 1024 * 1024)}"` });
    expect(await post()).toMatchObject({
      kind: 'retry',
      cause: 'server',
      detail: expect.stringContaining('larger than'),
    });
  });

  test('does not parse an answer that consists of structure alone', async () => {
    running.settings.requestTimeoutSeconds = 10;
    fake.on('/edge/message', { body: `{"reply_text":null,"more":[${'[],'.repeat(40_000)}1]}` });
    expect(await post()).toMatchObject({
      kind: 'retry',
      cause: 'server',
      detail: 'the answer has more than 65536 objects, lists and commas',
    });
  });

  test('reports a closed port, an unknown name, or an answer cut short', async () => {
    const cut = createServer((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"half":'));
      socket.on('error', () => socket.destroy());
    });
    await new Promise<void>((resolve) => cut.listen(0, '127.0.0.1', resolve));
    running.settings.httpBase = `http://127.0.0.1:${(cut.address() as AddressInfo).port}`;
    expect(await post()).toMatchObject({ kind: 'retry', cause: 'network' });
    const closed = running.settings.httpBase;
    await new Promise((resolve) => cut.close(resolve));
    running.settings.httpBase = closed;
    expect(await post()).toMatchObject({
      kind: 'retry',
      cause: 'network',
      detail: expect.stringContaining('ECONNREFUSED'),
    });
    running.settings.httpBase = 'https://does-not-exist.invalid';
    expect(await post()).toMatchObject({ kind: 'retry' });
  });

  test('reports each outcome to the components that judge whether the backend responds', async () => {
    const seen: (number | undefined)[] = [];
    const unsubscribe = running.backend.onHttpOutcome((report) => seen.push(report.status));
    fake.on('/edge/message', { status: 500 });
    await post();
    expect(running.backend.reachable()).toBe(true);
    await post();
    expect(running.backend.reachable()).toBe(false);
    fake.on('/edge/message', { status: 404 });
    await post();
    expect(running.backend.reachable()).toBe(true);
    unsubscribe();
    unsubscribe();
    await post();
    expect(seen).toEqual([500, 500, 404]);
  });
});
