import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/loadConfig.js';
import { withSettings } from '../../src/config/remoteSettings.js';
import { LiveConfig } from '../../src/daemon/LiveConfig.js';
import { FakeClock } from '../support/FakeClock.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { temporaryDirectory, temporaryStore } from '../support/temporaryStore.js';

function live() {
  const directory = temporaryDirectory();
  const store = temporaryStore(new FakeClock(), directory);
  const loaded = loadConfig({
    env: {
      USER_PHONE: '+13105550100',
      BACKEND_URL: 'http://127.0.0.1:1',
      EDGE_OUTGOING_BUBBLE_DELAY_MS: '500',
    },
    cwd: directory,
    homeDir: directory,
    platform: 'linux',
  });
  const log = new RecordingLog();
  const open = () => new LiveConfig(loaded, store.meta, log);
  /** As if these had been in the file. */
  const changed = (settings: Readonly<Record<string, unknown>>) => ({
    config: withSettings(loaded.config, new Map(Object.entries(settings))),
    sources: {
      ...loaded.sources,
      ...Object.fromEntries(Object.keys(settings).map((key) => [key, 'file' as const])),
    },
  });
  return { open, log, store, changed };
}

describe('settings from the backend', () => {
  test.each([
    [{ backend: { sync_interval_seconds: 5 } }],
    [{ 'backend.sync_interval_seconds': 5 }],
    [{ sync_interval_seconds: 5 }],
  ])('take effect at once in the form %j, and after a restart', (settings) => {
    const { open } = live();
    const config = open();
    const seen: number[] = [];
    config.onChange(({ backend }) => seen.push(backend.sync_interval_seconds));
    expect(config.apply(settings)).toEqual({ applied: ['backend.sync_interval_seconds'], refused: [] });
    expect(config.current().backend.sync_interval_seconds).toBe(5);
    expect(seen).toEqual([5]);
    expect(open().current().backend.sync_interval_seconds).toBe(5);
  });

  test.each([
    [{ backend: { url: 'https://evil.example.com' } }, 'backend.url', /cannot be changed/],
    [{ auth: { allow_plain_secret: true } }, 'auth.allow_plain_secret', /cannot be changed/],
    [{ websocket: { ping_interval_seconds: 0 } }, 'websocket.ping_interval_seconds', /from 1 to 300/],
    [{ websocket: { ping_interval_seconds: null } }, 'websocket.ping_interval_seconds', /from 1 to 300/],
    [{ logging: { level: 'loud' } }, 'logging.level', /one of debug, info, warn, error/],
    [{ logging: { levle: 'info' } }, 'logging.levle', /no such setting.*logging\.level/],
  ])('are refused by name: %j', (settings, key, reason) => {
    const { open, log } = live();
    const config = open();
    const before = config.current();
    const { applied, refused } = config.apply(settings);
    expect(applied).toEqual([]);
    expect(refused).toEqual([{ key, reason: expect.stringMatching(reason) }]);
    expect(config.current()).toEqual(before);
    expect(log.lines.some((line) => line.includes(key))).toBe(true);
  });

  test('are applied although one of them is refused', () => {
    const config = live().open();
    const result = config.apply({ outgoing: { bubble_delay_ms: 100, max_text_length: 5 } });
    expect(result.applied).toEqual(['outgoing.bubble_delay_ms']);
    expect(config.current().outgoing).toMatchObject({ bubble_delay_ms: 100, max_text_length: 10_000 });
  });

  test('are shown with their source, and gone after a reset', () => {
    const { open } = live();
    const config = open();
    config.apply({ backend: { sync_interval_seconds: 5 } });
    const sourceOf = (key: string) => config.settings().find((setting) => setting.key === key)?.source;
    expect(sourceOf('backend.sync_interval_seconds')).toBe('remote');
    expect(sourceOf('outgoing.bubble_delay_ms')).toBe('environment');
    expect(sourceOf('websocket.enabled')).toBe('default');
    expect(config.reset()).toEqual(['backend.sync_interval_seconds']);
    expect(config.current().backend.sync_interval_seconds).toBe(15);
    expect(open().current().backend.sync_interval_seconds).toBe(15);
  });

  test('that were rolled back with their write do not stay in memory', () => {
    const { open, store } = live();
    const config = open();
    store.onRollback(() => config.reread());
    expect(() =>
      store.write(() => {
        config.apply({ backend: { sync_interval_seconds: 5 } });
        throw new Error('no');
      }),
    ).toThrow();
    expect(config.current().backend.sync_interval_seconds).toBe(15);
  });
});

describe('settings that are reloaded', () => {
  test('take effect where they can, and wait for a restart where they cannot', () => {
    const { open, changed } = live();
    const config = open();
    const seen: unknown[] = [];
    config.onChange(({ acks, monitor }) => seen.push([acks.scheduled, monitor.port]));
    expect(config.reload(changed({ 'acks.scheduled': 'sent', 'monitor.port': 4100 }))).toEqual([
      'acks.scheduled',
    ]);
    expect(seen).toEqual([['sent', 3100]]);
    expect(config.waiting()).toEqual(['monitor.port']);
    const inForce = (key: string) => config.settings().find((setting) => setting.key === key);
    expect(inForce('monitor.port')).toMatchObject({
      value: 3100,
      source: 'default',
      restart: true,
      pending: 4100,
    });
    expect(inForce('acks.scheduled')).toEqual({
      key: 'acks.scheduled',
      value: 'sent',
      source: 'file',
      description: expect.stringContaining('schedule_message'),
      restart: false,
    });
    expect(config.reload(changed({}))).toEqual(['acks.scheduled']);
    expect(config.waiting()).toEqual([]);
    expect(inForce('monitor.port')).not.toHaveProperty('pending');
  });

  test('are overridden by the backend’s, and take effect once those are dropped', () => {
    const { open, changed } = live();
    const config = open();
    config.apply({ outgoing: { bubble_delay_ms: 100 } });
    expect(config.reload(changed({ 'outgoing.bubble_delay_ms': 200 }))).toEqual([]);
    expect(config.current().outgoing.bubble_delay_ms).toBe(100);
    config.reset();
    expect(config.current().outgoing.bubble_delay_ms).toBe(200);
  });

  test('are the same lists if they have the same contents', () => {
    const { open, changed } = live();
    expect(open().reload(changed({ 'forward.allow': [], 'edge.own_addresses': [] }))).toEqual([]);
  });
});
