import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { Alerts } from '../../../src/health/alerts/Alerts.js';
import type { ErrorCode } from '../../../src/model/errorCodes.js';
import type { Store } from '../../../src/store/Store.js';
import { FakeClock } from '../../support/FakeClock.js';
import { outboundBy } from '../../support/outbound.js';
import { RecordingLog } from '../../support/RecordingLog.js';
import { StandIns } from '../../support/StandIns.js';
import { temporaryDirectory, temporaryStore } from '../../support/temporaryStore.js';
import { until } from '../../support/until.js';

const AFTER_S = 300;
/** Less than the deadline of an attempt. */
const STEP_S = 5;

interface Body {
  id: string;
  event: string;
  problems: { code: string }[];
  set_aside: number;
  degraded_since: string | null;
  text: string;
}

let server: Server;
let status = 200;
let bodies: Body[] = [];

beforeEach(async () => {
  status = 200;
  bodies = [];
  server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    request.on('end', () => {
      bodies.push(JSON.parse(text) as Body);
      if (status > 0) response.writeHead(status, { Location: '/elsewhere' }).end();
      else request.socket.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
});

interface Given {
  clock?: FakeClock;
  store?: Store;
  osascriptPath?: string;
  webhook?: boolean;
}

function begin({
  clock = new FakeClock(),
  store = temporaryStore(clock),
  osascriptPath,
  webhook = true,
}: Given = {}) {
  const log = new RecordingLog();
  const state: { codes: ErrorCode[] | undefined } = { codes: [] };
  const { port } = server.address() as AddressInfo;
  const settings = {
    webhookUrl: webhook ? `http://127.0.0.1:${port}/hook/s3cret` : undefined,
    webhookBody: 'json' as 'json' | 'slack' | 'discord',
    notify: osascriptPath !== undefined,
    osascriptPath: osascriptPath ?? '/nowhere/osascript',
    afterMs: AFTER_S * 1000,
  };
  const given: { state: () => ErrorCode[] | undefined } = { state: () => state.codes };
  const alerts = new Alerts({
    settings: () => settings,
    state: () => given.state(),
    sender: { host: 'mini', version: '1.0.0' },
    store,
    platform: 'darwin',
    outbound: outboundBy(),
    env: process.env,
    clock,
    log,
  });
  alerts.start();
  onTestFinished(() => alerts.stop());
  // Each attempt is a real one: its end is awaited before time advances, as its deadline is a timer of that clock.
  const pass = async (seconds: number) => {
    for (let left = seconds; left > 0; left -= STEP_S) {
      clock.advance(Math.min(STEP_S, left) * 1000);
      await until(
        () => clock.pending <= 1,
        () => 'the end of an attempt',
      );
    }
  };
  return { alerts, clock, store, log, state, given, settings, pass };
}

const told = (count: number) =>
  until(
    () => bodies.length >= count,
    () => `${count} alerts; there were ${JSON.stringify(bodies)}`,
  );
const logged = (log: RecordingLog, words: string, count = 1) =>
  until(
    () => log.lines.filter((line) => line.includes(words)).length >= count,
    () => `"${words}" ${count} times in ${log.lines.join('\n')}`,
  );

test('one is sent once when the agent was degraded for the set time, and once when it is healthy again', async () => {
  const { state, pass, log } = begin();
  state.codes = ['backend_unreachable'];
  await pass(AFTER_S - 20);
  expect(bodies).toEqual([]);
  await pass(60);
  await logged(log, 'Alert delivered');
  await pass(4000);
  state.codes = [];
  await pass(50);
  expect(bodies).toHaveLength(1);
  await pass(60);
  await logged(log, 'Alert delivered', 2);
  await pass(4000);
  expect(bodies.map(({ event }) => event)).toEqual(['degraded', 'healthy']);
  expect(bodies[0]?.problems.map(({ code }) => code)).toEqual(['backend_unreachable']);
  expect(bodies[0]?.text).toMatch(/^edge-agent on mini has been degraded for 5 min/);
});

test('what ends before the set time causes no alert', async () => {
  const { state, pass } = begin();
  state.codes = ['backend_unreachable'];
  await pass(AFTER_S - 60);
  state.codes = [];
  await pass(4000);
  expect(bodies).toEqual([]);
});

test('a state that flaps is degraded, not healthy in between', async () => {
  const { state, pass, log } = begin();
  for (let round = 0; round < 12; round += 1) {
    state.codes = ['websocket_unavailable'];
    await pass(20);
    state.codes = [];
    await pass(10);
  }
  state.codes = ['websocket_unavailable'];
  await pass(20);
  await logged(log, 'Alert delivered');
  expect(bodies.map(({ event }) => event)).toEqual(['degraded']);
});

test('an agent that stops is not degraded by that', async () => {
  const { state, pass } = begin();
  state.codes = undefined;
  await pass(4000);
  expect(bodies).toEqual([]);
});

describe('a restart', () => {
  test('repeats no alert, and keeps counting', async () => {
    const directory = temporaryDirectory();
    const clock = new FakeClock();
    const store = temporaryStore(clock, directory);
    const first = begin({ clock, store });
    first.state.codes = ['secret_missing'];
    await first.pass(AFTER_S - 30);
    first.alerts.stop();
    const second = begin({ clock, store });
    second.state.codes = ['secret_missing'];
    await second.pass(50);
    await logged(second.log, 'Alert delivered');
    second.alerts.stop();
    const third = begin({ clock, store });
    third.state.codes = ['secret_missing'];
    await third.pass(4000);
    third.state.codes = [];
    await third.pass(90);
    await logged(third.log, 'Alert delivered');
    expect(bodies.map(({ event }) => event)).toEqual(['degraded', 'healthy']);
  });

  test('during an attempt repeats that alert under the same id, after its wait', async () => {
    const first = begin();
    status = 0;
    first.state.codes = ['secret_missing'];
    await first.pass(AFTER_S + 20);
    await told(1);
    first.alerts.stop();
    status = 200;
    const second = begin({ clock: first.clock, store: first.store });
    second.state.codes = ['secret_missing'];
    await second.pass(60);
    await logged(second.log, 'Alert delivered');
    expect(bodies.map(({ id }) => id)).toEqual([bodies[0]?.id, bodies[0]?.id]);
  });
});

test('an alert that fails is retried at growing intervals, reported as a problem, and given up after a day', async () => {
  const { alerts, state, pass, log } = begin();
  status = 503;
  state.codes = ['backend_unreachable'];
  await pass(AFTER_S + 10);
  expect(alerts.fault()).toMatchObject({ code: 'alerts_failing' });
  expect(alerts.fault()?.message).toContain('HTTP 503');
  await pass(600);
  expect(bodies).toHaveLength(5);
  await pass(25 * 3600);
  expect(log.lines.at(-1)).toBe('WARN An alert was never delivered and is given up');
  const { length } = bodies;
  expect(length).toBeLessThan(32);
  await pass(3600);
  expect(bodies).toHaveLength(length);
});

test.each([302, 401, 403, 404, 407, 410, 429, 511])(
  'an answer of something in between (HTTP %i) does not end an alert: it is retried, no redirect is followed',
  async (answer) => {
    const { alerts, state, pass, log } = begin();
    status = answer;
    state.codes = ['backend_unreachable'];
    await pass(AFTER_S + 20);
    await logged(log, 'An alert could not be delivered; it is retried');
    expect(alerts.fault()?.message).toContain(`HTTP ${answer}`);
    status = 204;
    await pass(60);
    await logged(log, 'Alert delivered');
    expect(alerts.fault()).toBeUndefined();
    expect(bodies.map(({ id }) => id)).toEqual([bodies[0]?.id, bodies[0]?.id]);
  },
);

test.each([400, 413, 422])(
  'a rejection of the alert itself (HTTP %i) ends it, and the next one is sent',
  async (answer) => {
    const { alerts, state, pass, log } = begin();
    status = answer;
    state.codes = ['backend_unreachable'];
    await pass(AFTER_S + 20);
    await logged(log, 'An alert was refused and is given up');
    expect(alerts.fault()?.message).toContain(`HTTP ${answer}`);
    status = 200;
    state.codes = [];
    await pass(90);
    await logged(log, 'Alert delivered');
    expect(alerts.fault()).toBeUndefined();
    expect(bodies.map(({ event }) => event)).toEqual(['degraded', 'healthy']);
  },
);

describe('a channel that is switched off and on again', () => {
  test('does not get "healthy again" for what it was never alerted to', async () => {
    const { alerts, state, settings, pass } = begin();
    const url = settings.webhookUrl;
    settings.webhookUrl = undefined;
    alerts.settingsChanged();
    state.codes = ['backend_unreachable'];
    await pass(AFTER_S + 20);
    state.codes = [];
    settings.webhookUrl = url;
    alerts.settingsChanged();
    await pass(4000);
    expect(bodies).toEqual([]);
  });

  test('is alerted that the agent is still degraded, and of each later time', async () => {
    const { alerts, state, settings, pass, log } = begin();
    const url = settings.webhookUrl;
    state.codes = ['backend_unreachable'];
    await pass(AFTER_S + 20);
    await logged(log, 'Alert delivered');
    settings.webhookUrl = undefined;
    alerts.settingsChanged();
    await pass(60);
    settings.webhookUrl = url;
    alerts.settingsChanged();
    await pass(20);
    await logged(log, 'Alert delivered', 2);
    settings.webhookUrl = undefined;
    alerts.settingsChanged();
    state.codes = [];
    await pass(600);
    settings.webhookUrl = url;
    alerts.settingsChanged();
    state.codes = ['chatdb_unreadable'];
    await pass(AFTER_S + 20);
    await logged(log, 'Alert delivered', 3);
    expect(bodies.map(({ event }) => event)).toEqual(['degraded', 'degraded', 'degraded']);
    expect(bodies[2]?.problems).toMatchObject([{ code: 'chatdb_unreadable' }]);
  });
});

test('a corrected setting sends at once what waits, and one channel that works does not hide one that fails', async () => {
  const standIns = new StandIns();
  const { alerts, state, settings, pass, log } = begin({
    osascriptPath: standIns.write('osascript', 'exit 0'),
  });
  status = 404;
  state.codes = ['backend_unreachable'];
  await pass(AFTER_S + 1200);
  await logged(log, 'Alert delivered');
  expect(alerts.fault()?.message).toBe('An alert could not be delivered: the webhook: HTTP 404.');
  status = 200;
  settings.webhookBody = 'json';
  alerts.settingsChanged();
  await pass(10);
  await logged(log, 'Alert delivered', 2);
  expect(alerts.fault()).toBeUndefined();
});

test('a status that cannot be read ends neither the checks nor the alerts that wait', async () => {
  const { state, given, pass, log } = begin();
  status = 503;
  state.codes = ['backend_unreachable'];
  await pass(AFTER_S + 20);
  await logged(log, 'it is retried');
  given.state = () => {
    throw new Error('database disk image is malformed');
  };
  status = 200;
  await pass(60);
  await logged(log, 'Alert delivered');
  expect(log.lines).toContain('ERROR The state of the agent could not be read for the alerts');
  given.state = () => [];
  await pass(120);
  await logged(log, 'Alert delivered', 2);
});

describe('items that are set aside', () => {
  test('are one alert with their number, once the write is on the disk', async () => {
    const { store, pass, log } = begin();
    store.write(() => {
      store.setAside.note('row', 'r1', 'a fault');
      store.setAside.note('message', 'counted as a dead letter', 'a fault');
    });
    store.write(() => store.setAside.note('command', 'c1', 'a fault'));
    expect(() =>
      store.write(() => {
        store.setAside.note('row', 'r2', 'a fault');
        throw new Error('rolled back');
      }),
    ).toThrow('rolled back');
    await pass(60);
    await logged(log, 'Alert delivered');
    expect(bodies).toMatchObject([{ event: 'set_aside', set_aside: 2 }]);
    expect(JSON.stringify(bodies)).not.toMatch(/\b(?:r1|c1)\b|a fault/);
  });

  test('cause no flood: ten minutes pass between two such alerts', async () => {
    const { store, pass, log } = begin();
    for (let item = 0; item < 580; item += 1) {
      store.write(() => store.setAside.note('row', `r${item}`, 'a fault'));
      await pass(1);
      if (item === 60) await logged(log, 'Alert delivered');
    }
    expect(bodies).toHaveLength(1);
    await pass(120);
    await logged(log, 'Alert delivered', 2);
    expect(bodies.map(({ set_aside }) => set_aside).reduce((a, b) => a + b)).toBe(580);
  });

  test('wait ten minutes between any two alerts, also where the first ones of the next alert come early', async () => {
    const { clock, store, pass, log } = begin();
    const at: number[] = [];
    for (let minute = 0; minute < 60; minute += 1) {
      store.write(() => store.setAside.note('row', `r${minute}`, 'a fault'));
      await pass(60);
      const delivered = log.lines.filter((line) => line.includes('Alert delivered')).length;
      if (bodies.length > at.length) at.push(clock.now());
      await logged(log, 'Alert delivered', Math.max(delivered, bodies.length));
    }
    expect(at.length).toBeGreaterThan(4);
    for (const [n, when] of at.slice(1).entries())
      expect(when - (at[n] ?? 0)).toBeGreaterThanOrEqual(600_000);
  });

  test('are counted for each channel separately: one that fails takes nothing from the other', async () => {
    const standIns = new StandIns();
    const { store, pass, log } = begin({ osascriptPath: standIns.write('osascript', 'exit 1') });
    for (let item = 1; item <= 6; item += 1) {
      store.write(() => store.setAside.note('row', `r${item}`, 'a fault'));
      await pass(item === 1 ? 60 : 20);
      if (item === 1) await logged(log, 'Alert delivered');
    }
    await pass(700);
    await logged(log, 'Alert delivered', 2);
    expect(bodies.map(({ set_aside }) => set_aside)).toEqual([1, 5]);
  });

  test('delay nothing while they are collected', async () => {
    const { store, state, pass, log } = begin();
    store.write(() => store.setAside.note('row', 'r1', 'a fault'));
    await pass(60);
    await logged(log, 'Alert delivered');
    store.write(() => store.setAside.note('row', 'r2', 'a fault'));
    state.codes = ['backend_unreachable'];
    await pass(AFTER_S + 20);
    await logged(log, 'Alert delivered', 2);
    expect(bodies.map(({ event }) => event)).toEqual(['set_aside', 'degraded']);
  });

  test('are collected over a restart, and while their channel fails become one more alert', async () => {
    const first = begin();
    status = 503;
    first.store.write(() => first.store.setAside.note('row', 'r1', 'a fault'));
    await first.pass(60);
    for (let item = 2; item <= 9; item += 1) {
      first.store.write(() => first.store.setAside.note('row', `r${item}`, 'a fault'));
      await first.pass(900);
    }
    first.alerts.stop();
    status = 200;
    bodies = [];
    const second = begin({ clock: first.clock, store: first.store });
    await second.pass(4_400);
    await logged(second.log, 'Alert delivered', 2);
    expect(bodies.map(({ set_aside }) => set_aside)).toEqual([1, 8]);
  });
});

test('while the store accepts no writes, the alert is still sent', async () => {
  const { store, state, pass, log } = begin();
  store.close();
  state.codes = ['disk_full'];
  await pass(AFTER_S + 20);
  await logged(log, 'Alert delivered');
  expect(bodies).toHaveLength(1);
});

test('Slack and Discord get their own form', async () => {
  const { store, settings, pass, log } = begin();
  for (const form of ['slack', 'discord'] as const) {
    settings.webhookBody = form;
    const before = bodies.length;
    store.write(() => store.setAside.note('row', form, 'a fault'));
    await pass(700);
    await logged(log, 'Alert delivered', before + 1);
  }
  const text = 'edge-agent on mini set aside one item that could not be processed. See: edge-agent queue';
  expect(bodies).toEqual([{ text }, { content: text, allowed_mentions: { parse: [] } }]);
});

test('a notification has its text as an argument, never as AppleScript', async () => {
  const standIns = new StandIns();
  const osascriptPath = standIns.write(
    'osascript',
    `for a in "$@"; do printf '%s\\0' "$a"; done > "$D/arguments"`,
  );
  const { state, pass, log } = begin({ osascriptPath, webhook: false });
  state.codes = ['automation_denied'];
  await pass(AFTER_S + 20);
  await logged(log, 'Alert delivered');
  const [flag, script, text, title] = readFileSync(standIns.path('arguments'), 'utf8').split('\0');
  expect(flag).toBe('-e');
  expect(script).toContain('display notification (item 1 of argv)');
  expect(script).not.toContain('mini');
  expect(text).toContain('edge-agent on mini has been degraded');
  expect(title).toBe('edge-agent');
});

test('a channel that fails delays no other', async () => {
  const standIns = new StandIns();
  const { state, pass, log } = begin({ osascriptPath: standIns.write('osascript', 'exit 1') });
  state.codes = ['automation_denied'];
  await pass(AFTER_S + 20);
  await logged(log, 'Alert delivered');
  await logged(log, 'it is retried');
  expect(bodies).toHaveLength(1);
});
