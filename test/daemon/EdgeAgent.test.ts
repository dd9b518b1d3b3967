import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { loadConfig } from '../../src/config/loadConfig.js';
import { EdgeAgent } from '../../src/daemon/EdgeAgent.js';
import { createLogger } from '../../src/logging/createLogger.js';
import { InstanceLock } from '../../src/store/InstanceLock.js';
import { temporaryDirectory } from '../support/temporaryStore.js';

/** An agent without a Mac and without a backend: it runs degraded. */
function place(lock?: (state: string) => InstanceLock) {
  const directory = temporaryDirectory();
  const state = join(directory, 'state');
  const env = {
    PATH: process.env.PATH,
    HOME: directory,
    USER_PHONE: '+13105550100',
    BACKEND_URL: 'http://127.0.0.1:9',
    EDGE_MONITOR_ENABLED: 'false',
    EDGE_STATE_DIRECTORY: state,
    EDGE_IMESSAGE_DB_PATH: join(directory, 'chat.db'),
  };
  const loaded = loadConfig({ env, cwd: directory, homeDir: directory, platform: 'linux' });
  const log = createLogger({ file: loaded.config.logging.file, level: 'info', format: 'text' });
  const agent = new EdgeAgent({ loaded, env, log, platform: 'linux', lock: lock?.(state) });
  onTestFinished(async () => {
    await agent.stop();
    log.close();
  });
  return {
    agent,
    state,
    isHeld: () => InstanceLock.isHeld(join(state, 'agent.lock')),
    log: () => readFileSync(loaded.config.logging.file, 'utf8'),
  };
}

test('a stop during a start leaves nothing running, and no lock', async () => {
  const { agent, isHeld } = place();
  const start = agent.start();
  await agent.stop();
  await start;
  expect(() => agent.snapshot()).toThrow('not running');
  expect(isHeld()).toBe(false);
});

test('a start after a stop runs, a second start meanwhile is refused, and a start during a stop waits for its end', async () => {
  const { agent, isHeld } = place();
  await agent.start();
  await expect(agent.start()).rejects.toMatchObject({ code: 'already_running' });
  const stop = agent.stop();
  await Promise.all([stop, agent.start()]);
  expect(agent.snapshot().problems.map(({ code }) => code)).not.toContain('stopping');
  expect(isHeld()).toBe(true);
  await agent.stop();
  expect(isHeld()).toBe(false);
});

test('a start after a stop does not run without a lock, where the first one was given its lock', async () => {
  const { agent, isHeld } = place((state) => InstanceLock.acquire(join(state, 'agent.lock')));
  await agent.start();
  await agent.stop();
  expect(isHeld()).toBe(false);
  await agent.start();
  expect(isHeld()).toBe(true);
});

test('a stop between two starts keeps the first one from beginning anything', async () => {
  const { agent, log } = place();
  await Promise.all([agent.start(), agent.stop(), agent.start()]);
  expect(agent.snapshot().problems.map(({ code }) => code)).not.toContain('stopping');
  expect(log().match(/edge-agent \S+ started/g)).toHaveLength(1);
  await Promise.all([agent.stop(), agent.stop()]);
  expect(() => agent.snapshot()).toThrow('not running');
});

test('what osascript left of texts that have an outcome is removed at the start', async () => {
  const { agent, state } = place();
  mkdirSync(join(state, 'sends'), { recursive: true });
  mkdirSync(join(state, 'applescript'), { recursive: true });
  const left = [
    join(state, 'sends', 'send-of-an-old-life.log'),
    join(state, 'applescript', 'chat-text.applescript.4242.new'),
  ];
  for (const path of left) writeFileSync(path, '');
  await agent.start();
  expect(left.filter((path) => existsSync(path))).toEqual([]);
});
