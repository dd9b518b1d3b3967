import { afterEach, describe, expect, test } from 'vitest';
import { LinkWorld, type WorldOptions } from '../../support/LinkWorld.js';
import { until } from '../../support/until.js';

/**
 * What is between the agent and the backend, at its worst: real sockets, the reference backend, waits about sixty
 * times shorter. An unhandled error fails the run.
 */
describe('between the agent and the backend', () => {
  let world: LinkWorld | undefined;

  afterEach(async () => {
    await world?.close();
    world = undefined;
  });

  const open = async (overrides: WorldOptions = {}) => {
    world = await LinkWorld.open(overrides);
    return world;
  };
  /** Online, one command through, so that the link has proven itself both ways. */
  const openOnline = async (overrides: WorldOptions = {}) => {
    const opened = await open(overrides);
    await opened.is('online');
    opened.push();
    await opened.settled();
    return opened;
  };
  const lost = (opened: LinkWorld, cause: string | RegExp) =>
    until(
      () => (opened.made.backend.view().lastDisconnect?.cause ?? '').match(cause) !== null,
      () => `the link to be lost by ${cause}, not ${opened.made.backend.view().lastDisconnect?.cause}`,
    );
  /** Up again, all executed once and acked, and no trace left when it ends. */
  const recovered = async (opened: LinkWorld) => {
    opened.push();
    opened.tell();
    await opened.is('online');
    await opened.settled();
    expect(opened.repeated).toEqual([]);
    expect(opened.made.backend.view().poller).toBe('paused');
    expect(await opened.leave()).toEqual({ timers: 0, connections: 0 });
  };
  const cameBy = (opened: LinkWorld, id: string) =>
    opened.simulated.journal.commands.filter((one) => one.commandId === id).map((one) => one.via);

  test('a dropped connection is bridged by the poller and reconnected', async () => {
    const opened = await openOnline();
    opened.proxy.answerUpgradesWithPage(true);
    expect(opened.proxy.drop()).toBe(1);
    await lost(opened, 'closed with 1006');
    expect(opened.made.backend.view().poller).toBe('running');
    const bridged = opened.push();
    await opened.executed(bridged);
    expect(cameBy(opened, bridged)).toContain('polling');
    opened.proxy.answerUpgradesWithPage(false);
    await recovered(opened);
  });

  test('a frozen connection is suspected, given up and replaced, and what it swallowed arrives', async () => {
    const opened = await openOnline();
    expect(opened.proxy.freeze()).toBe(1);
    const swallowed = opened.push();
    await until(
      () => opened.proxy.upgrades === 2 && opened.state === 'online',
      () => 'a new live link',
    );
    expect(opened.made.backend.view().lastDisconnect?.cause).toBe('a ping was not answered');
    await opened.executed(swallowed);
    await recovered(opened);
  });

  test('a half-closed connection is over', async () => {
    const opened = await openOnline();
    opened.proxy.halfClose();
    await lost(opened, 'closed with 1006');
    await recovered(opened);
  });

  test('a slow connection gets its link in the end, by growing deadlines, and keeps it', async () => {
    const opened = await open({
      settings: { requestTimeoutSeconds: 20 },
      // Patient with an open link; it is the handshake's deadline that this is about.
      timings: {
        link: {
          ...{ dialFirstMs: 150, dialLongestMs: 600, provingMs: 2_000 },
          ...{ pongTimeoutMs: 3_000, suspicionMs: 500, wsPongTimeoutMs: 2_000 },
        },
      },
    });
    await opened.is('online');
    opened.proxy.slowDown(1_600);
    opened.proxy.drop();
    await until(
      () => opened.proxy.upgrades >= 3 && opened.state === 'online',
      () => `a link over the slow line; ${opened.proxy.upgrades} tries, ${opened.state}`,
    );
    const tries = opened.proxy.upgrades;
    for (let i = 0; i < 3; i++) opened.push();
    await opened.settled();
    expect(opened.proxy.upgrades).toBe(tries);
    opened.proxy.slowDown(null);
    await recovered(opened);
  });

  test('garbage ends the connection, not the process', async () => {
    const opened = await openOnline();
    opened.proxy.injectGarbage();
    await lost(opened, 'Invalid WebSocket frame');
    await recovered(opened);
  });

  test('a frame that was cut inside is not half executed, and comes again', async () => {
    const opened = await openOnline();
    opened.proxy.cutInsideNextFrame();
    const cut = opened.push();
    await lost(opened, 'closed with 1006');
    await opened.executed(cut);
    expect(cameBy(opened, cut).length).toBeGreaterThan(1);
    await recovered(opened);
  });

  test('frames that come twice are executed once, on the same link', async () => {
    const opened = await openOnline();
    opened.proxy.mistreatFrames('doubled');
    for (let i = 0; i < 20; i++) {
      opened.push();
      opened.tell();
    }
    await opened.settled();
    expect(opened.executions.size).toBe(21);
    const told = new Set(opened.simulated.events.map(({ body }) => body.event_id));
    expect(told.size).toBe(20);
    expect(opened.proxy.upgrades).toBe(1);
    await recovered(opened);
  });

  test('bytes that come twice are no frames: the connection is over, the command is not', async () => {
    const opened = await openOnline();
    opened.proxy.doubleNextBytes();
    const doubled = opened.push();
    await lost(opened, 'Invalid WebSocket frame');
    await opened.executed(doubled);
    await recovered(opened);
  });

  test('frames that arrive in another order are all executed once, on the same link', async () => {
    const opened = await openOnline();
    opened.proxy.mistreatFrames('reversed');
    const ids = Array.from({ length: 20 }, () => opened.push());
    await opened.settled();
    expect([...opened.executions.keys()].slice(1)).toEqual(ids.toReversed());
    expect(opened.proxy.upgrades).toBe(1);
    await recovered(opened);
  });

  test("a proxy's 502 page instead of an upgrade causes backoff, while polls continue", async () => {
    const opened = await open();
    opened.proxy.answerUpgradesWithPage(true);
    opened.proxy.drop();
    await lost(opened, 'Unexpected server response: 502');
    const bridged = opened.push();
    await opened.executed(bridged);
    expect(cameBy(opened, bridged)).toEqual(expect.not.arrayContaining(['websocket']));
    await until(
      () => opened.proxy.upgrades >= 4,
      () => 'more tries',
    );
    opened.proxy.answerUpgradesWithPage(false);
    await recovered(opened);
  });

  test('a name that does not resolve is reported by name, and retried until it does', async () => {
    const opened = await openOnline();
    const { settings } = opened.made;
    const { httpBase, webSocketUrl } = settings;
    settings.httpBase = 'https://nowhere.invalid';
    settings.webSocketUrl = () => 'wss://nowhere.invalid/edge/ws';
    opened.proxy.drop();
    await lost(opened, /ENOTFOUND|EAI_AGAIN/);
    await until(
      () => opened.made.backend.view().problems.some((one) => one.code === 'backend_unreachable'),
      () => 'the problem to be told',
    );
    Object.assign(settings, { httpBase, webSocketUrl });
    await recovered(opened);
  });

  test('a closed port is retried until it opens, and what was queued meanwhile arrives', async () => {
    const opened = await openOnline();
    await opened.proxy.close();
    await lost(opened, 'ECONNREFUSED');
    await until(
      () => opened.made.backend.view().problems.some((one) => one.code === 'backend_unreachable'),
      () => 'the problem to be told',
    );
    expect(opened.made.backend.view().poller).toBe('running');
    const queued = opened.push();
    await opened.proxy.open();
    await opened.executed(queued);
    await recovered(opened);
  });

  test('a network that swallows everything blocks neither connecting nor polling', async () => {
    const opened = await openOnline({ settings: { requestTimeoutSeconds: 0.3 } });
    opened.proxy.fallSilent();
    const before = opened.proxy.accepted;
    const swallowed = opened.push();
    await lost(opened, 'no answer to the handshake within its deadline');
    await until(
      () => opened.proxy.accepted >= before + 4 && !opened.made.backend.reachable(),
      () => 'dials and polls that go on',
    );
    opened.proxy.thaw();
    await opened.executed(swallowed);
    await recovered(opened);
  });

  test('a backend that greets and never answers a ping is not taken for a live one', async () => {
    const opened = await open();
    await opened.is('online');
    opened.simulated.holdPongs();
    await lost(opened, 'a ping was not answered');
    await until(
      () => opened.proxy.upgrades >= 3,
      () => 'two more dials',
    );
    opened.simulated.releasePongs();
    await recovered(opened);
  });

  test('all of it at once leaves one WebSocket', async () => {
    const opened = await openOnline();
    for (const fault of ['drop', 'freeze', 'halfClose', 'injectGarbage', 'cutInsideNextFrame'] as const) {
      opened.push();
      opened.proxy[fault]();
      opened.push();
      opened.made.backend.kick('at once');
      opened.made.backend.wake();
    }
    await opened.settled();
    opened.proxy.thaw();
    await until(
      () => opened.state === 'online' && opened.proxy.webSockets === 1,
      () => `one WebSocket, not ${opened.proxy.webSockets}`,
    );
    await recovered(opened);
  });
});
