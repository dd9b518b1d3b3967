import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { loadConfig } from '../../src/config/loadConfig.js';
import { EdgeAgent } from '../../src/daemon/EdgeAgent.js';
import { createLogger } from '../../src/logging/createLogger.js';
import { InstanceLock } from '../../src/store/InstanceLock.js';
import { temporaryDirectory } from '../support/temporaryStore.js';

/** An agent without a Mac and without a backend: it runs degraded. */
function place() {
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
  const log = createLogger({ file: loaded.config.logging.file, level: 'error', format: 'text' });
  const agent = new EdgeAgent({ loaded, env, log, platform: 'linux' });
  onTestFinished(async () => {
    await agent.stop();
    log.close();
  });
  return { agent, state, isHeld: () => InstanceLock.isHeld(join(state, 'agent.lock')) };
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
