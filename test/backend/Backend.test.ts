import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ackBody } from '../../src/backend/protocol.js';
import { FakeBackend } from '../support/FakeBackend.js';
import { AGENT_ID, makeBackend, PATIENT, type Running } from '../support/startBackend.js';

describe('the connection to the backend', () => {
  let fake: FakeBackend;
  let running: Running | undefined;

  beforeEach(async () => {
    fake = await FakeBackend.start();
  });
  afterEach(async () => {
    await running?.stop();
    running = undefined;
    await fake.stop();
  });

  const begin = (overrides: Parameters<typeof makeBackend>[1] = {}) => {
    running = makeBackend(fake, overrides);
    running.backend.start();
    return running;
  };
  const online = (made: Running) =>
    fake.until(() => made.backend.view().state === 'online', 'the link to be online');

  test('registers, connects with fresh credentials, verifies the link, sends status and catches up once', async () => {
    const made = begin();
    await online(made);
    await fake.until(() => fake.callsTo('/edge/sync').length === 1, 'the catch-up sync');
    await fake.until(() => fake.framesOf('status').length === 1, 'the status frame');
    const [handshake] = fake.handshakes;
    expect(handshake?.url).toBe(`/edge/ws?edge_agent_id=${AGENT_ID}`);
    expect(handshake?.headers['x-edge-agent-id']).toBe(AGENT_ID);
    expect(handshake?.headers['x-edge-protocol']).toBe('1');
    expect(handshake?.headers['user-agent']).toBe('edge-agent/0.1.0');
    expect(handshake?.headers.authorization).toMatch(/^Bearer [A-Za-z0-9+/=]+$/);
    expect(handshake?.headers['sec-websocket-extensions']).toBeUndefined();
    expect(fake.callsTo('/edge/register')).toHaveLength(1);
    expect(fake.frames[0]).toEqual({ type: 'ping' });
    expect(made.lines).toContain(
      `[INFO] Connecting to WebSocket: ws://127.0.0.1:${fake.port}/edge/ws?edge_agent_id=${AGENT_ID}`,
    );
    expect(made.lines).toContain('[INFO] ✅ WebSocket connected - real-time mode enabled');
    expect(made.lines).toContain('[INFO] 🔌 WebSocket connected - real-time command delivery enabled');
    expect(made.lines).toContain('[INFO] Command delivery: Real-time via WebSocket 🚀');
    expect(made.backend.view().poller).toBe('paused');
    expect(made.backend.view().problems).toEqual([]);
  });

  test('passes the commands of one chunk on as one batch', async () => {
    const made = begin();
    await online(made);
    const raw = (fake.socket as unknown as { _socket: { cork(): void; uncork(): void } })._socket;
    raw.cork();
    for (let i = 0; i < 50; i++)
      fake.push({ command_id: `cmd_${i}`, command_type: 'send_message_now', payload: {} });
    raw.uncork();
    await fake.until(() => made.received.length === 50, 'all commands');
    expect(made.batches).toEqual([50]);
    expect(made.received.map((one) => one.command.commandId)).toEqual(
      [...Array(50).keys()].map((i) => `cmd_${i}`),
    );
  });

  test('falls back to polling at once when the socket drops, and back when it returns', async () => {
    const made = begin();
    await online(made);
    await fake.until(() => fake.callsTo('/edge/sync').length === 1, 'the catch-up sync');
    fake.refuse(503);
    fake.on('/edge/sync', {
      body: { commands: [{ command_id: 'cmd_p', command_type: 'list_scheduled', payload: {} }] },
    });
    fake.drop();
    await fake.until(() => made.received.some((one) => one.via === 'http'), 'a command by polling');
    expect(made.backend.view().poller).toBe('running');
    expect(made.lines).toContain(
      '[WARN] 🔌 WebSocket disconnected - falling back to HTTP polling cause=closed with 1006',
    );
    expect(made.lines).toContain('[INFO] Command delivery: HTTP polling every 0.15s');
    expect(made.lines).toContain('[INFO] Scheduling WebSocket reconnect attempt 1/10 in 20ms');
    await fake.until(
      () => made.lines.some((line) => line.includes('Attempting WebSocket reconnect (attempt 2)')),
      'attempt 2',
    );
    expect(made.lines).toContain('[ERROR] WebSocket error: ["Unexpected server response: 503"]');
    fake.refuse(null);
    await online(made);
    expect(made.backend.view().reconnects24h).toBe(1);
    expect(fake.mostOpen).toBe(1);
  });

  test('polls only, when the WebSocket is switched off', async () => {
    const made = begin({ settings: { websocketEnabled: false } });
    await fake.until(() => fake.callsTo('/edge/sync').length >= 3, 'three polls');
    expect(fake.handshakes).toHaveLength(0);
    expect(made.backend.view()).toMatchObject({ state: 'idle', poller: 'running', problems: [] });
  });

  test('can be offered commands by a sync that was accepted or by a socket, not by any other answer', async () => {
    for (const way of ['sync', 'socket']) {
      fake.refuse(way === 'sync' ? 503 : null);
      fake.on('/edge/sync', { status: 503 });
      const made = makeBackend(fake);
      let offering = 0;
      made.backend.onOffering((can) => {
        if (can) offering += 1;
      });
      if (way === 'sync') {
        made.backend.start();
        await fake.until(() => fake.callsTo('/edge/sync').length >= 2, 'two refused polls');
        expect(fake.callsTo('/edge/register').length).toBeGreaterThan(0);
        expect(offering).toBe(0);
        fake.on('/edge/sync', { body: {} });
      } else made.backend.start();
      await fake.until(() => offering > 0, `what is offered by the ${way}`);
      await made.stop();
    }
  });

  test('can no longer be offered any once a sync fails without a socket, and can again after the next one', async () => {
    fake.refuse(503);
    const made = begin();
    const offering: boolean[] = [];
    made.backend.onOffering((can) => {
      if (offering.at(-1) !== can) offering.push(can);
    });
    fake.on('/edge/sync', { body: {} });
    made.backend.start();
    await fake.until(() => offering.length === 1, 'a sync that is taken in');
    fake.on('/edge/sync', { status: 503 });
    await fake.until(() => offering.length === 2, 'a sync that fails');
    fake.on('/edge/sync', { body: {} });
    await fake.until(() => offering.length === 3, 'a sync that is taken in again');
    expect(offering).toEqual([true, false, true]);
  });

  test('is blocked by 401 after one immediate retry, reports why once, and recovers on its own', async () => {
    fake.refuse(401);
    fake.on('/edge/sync', { status: 401 });
    const made = begin();
    await fake.until(() => fake.handshakes.length === 2, 'the immediate retry');
    await fake.until(() => made.backend.view().state === 'blocked', 'blocked');
    expect(made.backend.view().problems.map((one) => one.code)).toContain('backend_unauthorised');
    expect(fake.callsTo('/edge/register').length).toBe(2);
    expect(made.lines.filter((line) => line.includes('WebSocket blocked (HTTP 401)'))).toHaveLength(1);
    fake.refuse(null);
    fake.on('/edge/sync', { body: { commands: [] } });
    made.backend.credentialsChanged();
    await online(made);
    await fake.until(() => made.backend.view().problems.length === 0, 'no problem');
  });

  test('keeps connecting after 403 where HTTP accepts the same credentials, blames the endpoint, and connects once it exists', async () => {
    fake.on('/edge/sync', { body: { commands: [] } });
    fake.refuse(403);
    const made = begin({ settings: { reconnectAttempts: 4 }, timings: { firstPollMs: 0 } });
    await fake.until(() => fake.handshakes.length >= 7, 'seven dials');
    expect(made.backend.view()).toMatchObject({
      state: expect.stringMatching(/waiting|dialing/),
      problems: [
        {
          code: 'websocket_unavailable',
          message: expect.stringContaining('HTTP accepts the same credentials'),
        },
      ],
    });
    expect(made.lines.filter((line) => line.includes('the endpoint does not exist yet'))).toHaveLength(1);
    fake.refuse(null);
    await online(made);
    expect(made.backend.view().problems).toEqual([]);
  });

  test.each([
    [4001, 'saw no Authorization header'],
    [1008, 'the token does not verify'],
  ])('explains in status and log what %s means', async (code, words) => {
    fake.closeOnceOpen(code, 5);
    fake.on('/edge/sync', { status: 401 });
    const made = begin();
    await fake.until(
      () => made.backend.view().problems.some(({ message }) => message.includes(words)),
      'the words',
    );
    await fake.until(() => made.lines.some((line) => line.includes(words)), 'the line');
  });

  test('detects two agents with one id, although the link is up in between', async () => {
    const made = begin();
    for (let time = 0; time < 2; time += 1) {
      await online(made);
      fake.closeWith(4409);
      await fake.until(() => made.backend.view().state !== 'online', 'the loss');
    }
    await online(made);
    expect(made.backend.view().problems).toMatchObject([{ code: 'agent_duplicated' }]);
  });

  test('detects a link that drops soon after each connect, although no outage lasts', async () => {
    const made = begin();
    for (let time = 0; time < 3; time += 1) {
      await online(made);
      fake.drop();
      await fake.until(() => made.backend.view().state !== 'online', 'the loss');
    }
    await online(made);
    expect(made.backend.view().problems).toMatchObject([{ code: 'link_unstable' }]);
  });

  test('reports a pinned token that has expired, with its date', async () => {
    const payload = Buffer.from(JSON.stringify({ exp: 1_700_000_000 })).toString('base64url');
    fake.refuse(401);
    fake.on('/edge/sync', { status: 401 });
    running = makeBackend(fake);
    delete running.secrets.edgeSecret;
    running.secrets.edgeToken = `e30.${payload}.c2ln`;
    running.backend.start();
    const made = running;
    await fake.until(() => made.backend.view().problems.length > 0, 'the refusal');
    expect(made.backend.view().problems).toMatchObject([
      { code: 'token_expired', message: expect.stringContaining('2023-11-14T22:13:20.000Z') },
    ]);
  });

  test('does not hammer a backend that accepts and then closes with 4001', async () => {
    fake.closeOnceOpen(4001, 5);
    const made = begin();
    await fake.until(() => fake.handshakes.length === 2, 'the immediate retry');
    await fake.until(() => made.backend.view().state === 'blocked', 'blocked');
    await fake.until(() => fake.callsTo('/edge/sync').length >= 3, 'polls go on');
    expect(fake.handshakes).toHaveLength(2);
  });

  test('reconnects when HTTP changes from 401 to 2xx', async () => {
    fake.refuse(401);
    fake.on('/edge/sync', { status: 401 });
    const made = begin({ timings: { link: { blockedFastMs: 60_000 } } });
    await fake.until(
      () => fake.callsTo('/edge/sync').length >= 1 && made.backend.view().state === 'blocked',
      'blocked both ways',
    );
    fake.refuse(null);
    fake.on('/edge/sync', { body: { commands: [] } });
    await online(made);
  });

  test('waits for a secret without exiting and picks it up', async () => {
    running = makeBackend(fake, { timings: { link: { blockedFastMs: 60_000 } } });
    delete running.secrets.edgeSecret;
    running.backend.start();
    const made = running;
    await fake.until(() => made.backend.view().state === 'blocked', 'blocked');
    expect(made.backend.view().problems.map((one) => one.code)).toEqual(['secret_missing']);
    expect(fake.handshakes).toHaveLength(0);
    expect(fake.calls).toHaveLength(0);
    made.secrets.edgeSecret = 'found it';
    made.backend.credentialsChanged();
    await online(made);
    expect(made.backend.view().problems).toEqual([]);
  });

  test('reports at once that the secret was removed, though its socket seems healthy', async () => {
    const made = begin();
    await online(made);
    delete made.secrets.edgeSecret;
    made.backend.credentialsChanged();
    expect(made.backend.view()).toMatchObject({ state: 'blocked', problems: [{ code: 'secret_missing' }] });
  });

  test.each([
    ['the secret is another one', (made: Running) => made.backend.credentialsChanged()],
    ['the operator asks for it', (made: Running) => made.backend.kick('test')],
  ])('authenticates again when %s, though its socket seems healthy', async (_, happens) => {
    const made = begin();
    await online(made);
    made.secrets.edgeSecret = 'another one';
    fake.refuse(401);
    fake.on('/edge/sync', { status: 401 });
    happens(made);
    await fake.until(
      () => made.backend.view().problems.some((one) => one.code === 'backend_unauthorised'),
      'the refusal',
    );
    fake.refuse(null);
    fake.on('/edge/sync', { body: { commands: [] } });
    made.backend.kick('mended');
    await online(made);
    await fake.until(() => fake.sockets.size === 1, 'the old socket to be gone');
  });

  test('survives malformed, binary and unknown frames, and reports each kind', async () => {
    const made = begin({ timings: PATIENT });
    await online(made);
    for (let i = 0; i < 20; i++) {
      fake.pushRaw('not json');
      fake.pushRaw(Buffer.from([0, 1, 2]));
      fake.pushRaw('{"type":"surprise"}');
      fake.pushRaw('{"type":"command","data":{"command_type":"x"}}');
      fake.pushRaw('[1]');
    }
    fake.push({ command_id: 'cmd_after', command_type: 'list_scheduled' });
    await fake.until(() => made.received.length === 1, 'the command after the garbage');
    expect(new Set(made.lines.filter((line) => line.startsWith('[WARN] Ignored'))).size).toBe(5);
    expect(fake.handshakes).toHaveLength(1);
  });

  test('closes a socket that sends more than 16 MiB in a frame, and reconnects', async () => {
    const made = begin();
    await online(made);
    fake.pushRaw('x'.repeat(17 * 1024 * 1024));
    await fake.until(() => fake.handshakes.length === 2, 'a second handshake');
    await online(made);
    expect(fake.closes[0]).toBe(1009);
  });

  test('answers the ping of a backend with a pong, and passes settings on', async () => {
    const made = begin();
    await online(made);
    fake.pushRaw('{"type":"ping"}');
    await fake.until(() => fake.framesOf('pong').length === 1, 'our pong');
    fake.pushRaw('{"type":"config_update","data":{"websocket":{"ping_interval_seconds":20}}}');
    await fake.until(() => made.updates.length === 1, 'the settings');
    expect(made.updates[0]).toEqual({ websocket: { ping_interval_seconds: 20 } });
  });

  test('continues, acking nothing, when the inbox cannot store', async () => {
    const made = begin();
    await online(made);
    made.inbox.broken = true;
    fake.push({ command_id: 'cmd_lost', command_type: 'list_scheduled' });
    await fake.until(
      () => made.lines.some((line) => line.includes('Could not store commands')),
      'the failure',
    );
    made.inbox.broken = false;
    fake.push({ command_id: 'cmd_lost', command_type: 'list_scheduled' });
    await fake.until(() => made.received.length === 1, 'the repeat');
  });

  test('waits at least as long as the backend asks when another connection took over the id', async () => {
    const made = begin({ timings: PATIENT });
    await online(made);
    const closedAt = performance.now();
    fake.closeWith(4409);
    await fake.until(() => fake.handshakes.length === 2, 'the redial');
    expect(performance.now() - closedAt).toBeGreaterThanOrEqual(395);
    expect(made.lines.some((line) => line.includes('share one id'))).toBe(true);
  });

  test('honours Retry-After on a refused handshake', async () => {
    fake.refuse(429, { 'Retry-After': '1' });
    begin();
    await fake.until(() => fake.handshakes.length === 2, 'the second handshake');
    expect((fake.handshakes[1]?.at ?? 0) - (fake.handshakes[0]?.at ?? 0)).toBeGreaterThanOrEqual(990);
  });

  test('does not follow a redirect with credentials', async () => {
    fake.refuse(302, { Location: 'http://elsewhere.example/edge/ws' });
    const made = begin();
    await fake.until(
      () => made.lines.some((line) => line.includes('redirect to elsewhere.example not followed')),
      'the error',
    );
    expect(made.backend.view().lastDisconnect?.cause).toContain('302');
  });

  test('reports which host does not respond, keeps trying, and recovers when it is back', async () => {
    const port = await fake.goDown();
    running = makeBackend({
      ...{ url: `http://127.0.0.1:${port}`, happened: () => fake.happened() },
    } as FakeBackend);
    running.backend.start();
    const made = running;
    await fake.until(
      () => made.backend.view().problems.some((one) => one.code === 'backend_unreachable'),
      'the problem',
    );
    expect(made.backend.reachable()).toBe(false);
    expect(
      made.lines.some((line) => line.startsWith('[ERROR] WebSocket error:') && line.includes('ECONNREFUSED')),
    ).toBe(true);
    await fake.comeBack(port);
    await online(made);
    await fake.until(() => made.backend.reachable(), 'an answered request');
  });

  test('reports degraded after the configured failures in a row, and never gives up', async () => {
    fake.refuse(503);
    const made = begin({ settings: { reconnectAttempts: 3 } });
    await fake.until(
      () => fake.handshakes.length === 3 && made.backend.view().state === 'waiting',
      'three failures',
    );
    expect(made.backend.view().problems.map((one) => one.code)).toEqual(['websocket_unavailable']);
    expect(made.backend.view()).toMatchObject({ attempt: 3, poller: 'running' });
    expect(made.backend.view().nextAttemptAt).toBeGreaterThan(Date.now() - 10);
    await fake.until(() => fake.handshakes.length === 5, 'two more');
  });

  test('does not flood the log in a long series of failures, and logs its end', async () => {
    fake.refuse(503);
    const made = begin({ timings: { link: { backoffMs: [2] } } });
    await fake.until(() => fake.handshakes.length >= 45, 'many failures');
    const errors = made.lines.filter((line) => line.startsWith('[ERROR] WebSocket error:')).length;
    expect(errors).toBeGreaterThanOrEqual(5);
    expect(errors).toBeLessThanOrEqual(12);
    fake.refuse(null);
    await online(made);
    expect(made.lines.some((line) => line.includes('failed attempts were not logged'))).toBe(true);
  });

  test('never shows the secret or a token in the log', async () => {
    fake.refuse(401);
    const made = begin();
    await fake.until(() => made.backend.view().state === 'blocked', 'blocked');
    const token = String(fake.handshakes[0]?.headers.authorization).slice('Bearer '.length);
    for (const line of made.lines) {
      expect(line).not.toContain('open sesame');
      expect(line).not.toContain(token);
    }
  });

  describe('draining', () => {
    test.each(['before start', 'while registering', 'while dialing', 'while waiting', 'while blocked'])(
      'ends %s, with nothing left behind and no unhandled rejection (docs/facts.md, bug 2)',
      async (when) => {
        if (when === 'while registering') fake.on('/edge/register', () => new Promise(() => undefined));
        if (when === 'while dialing') fake.hang();
        if (when === 'while waiting') fake.refuse(503);
        if (when === 'while blocked') fake.refuse(401);
        running = makeBackend(fake, { timings: { link: { backoffMs: [5_000] } } });
        const made = running;
        if (when !== 'before start') made.backend.start();
        if (when === 'while registering')
          await fake.until(() => fake.callsTo('/edge/register').length === 1, 'a request');
        else if (when !== 'before start') {
          const state = when.slice('while '.length);
          await fake.until(() => made.backend.view().state === state, `the link to be ${state}`);
        }
        await endsWithin(1_000, () => made.backend.drain(1_000));
        expect(made.backend.view().state).toBe('stopped');
        const handshakes = fake.handshakes.length;
        made.backend.kick('too late');
        made.backend.wake();
        expect(fake.handshakes.length).toBe(handshakes);
      },
    );

    test('sends the last acks and status, waits until they are read, and closes with 1000', async () => {
      const made = begin();
      await online(made);
      let release: () => void = () => undefined;
      const inFlight = new Promise<void>((resolve) => {
        release = resolve;
      });
      const drained = made.backend.drain(2_000, inFlight);
      fake.push({ command_id: 'cmd_late', command_type: 'list_scheduled' });
      made.store.write(() =>
        made.store.acks.add(ackBody({ commandId: 'cmd_1', error: null, at: 0, revision: 1 })),
      );
      release();
      await drained;
      expect(fake.framesOf('command_ack')).toHaveLength(1);
      expect(made.store.acks.count()).toBe(0);
      expect(fake.framesOf('status')).toHaveLength(2);
      expect(fake.closes).toEqual([1000]);
      expect(made.received).toHaveLength(0);
      expect(made.backend.view().state).toBe('stopped');
    });

    test('ends in time when the backend is frozen, and keeps the acks', async () => {
      const made = begin({ timings: { link: { wsPingIntervalMs: 60_000 } } });
      await online(made);
      fake.freeze();
      made.store.write(() =>
        made.store.acks.add(ackBody({ commandId: 'cmd_1', error: null, at: 0, revision: 1 })),
      );
      await endsWithin(1_100, () => made.backend.drain(1_000));
      expect(made.store.acks.count()).toBe(1);
    });

    test('sends its last acks and status by HTTP when there is no socket', async () => {
      fake.refuse(503);
      const made = begin({ settings: { syncIntervalSeconds: 60 }, timings: { firstPollMs: 60_000 } });
      await fake.until(() => fake.handshakes.length === 2, 'two refusals');
      await made.backend.drain(1_000);
      expect(fake.callsTo('/edge/sync')).toHaveLength(1);
      expect(made.backend.view().state).toBe('stopped');
    });
  });
});

/** Fails if a timer of so many ms, set when it begins, comes first: a busy machine makes both late. */
async function endsWithin(ms: number, run: () => Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), ms);
  });
  const end = await Promise.race([run(), late]);
  clearTimeout(timer);
  expect(end).not.toBe('late');
}
