import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { InstanceLock } from '../../src/store/InstanceLock.js';
import { agentInProcess } from '../support/agentInProcess.js';

function place(lock?: (state: string) => InstanceLock) {
  const { agent, state, logFile } = agentInProcess({ EDGE_MONITOR_ENABLED: 'false' }, lock);
  return {
    agent,
    state,
    isHeld: () => InstanceLock.isHeld(join(state, 'agent.lock')),
    log: () => readFileSync(logFile, 'utf8'),
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

test('a start after a stop does not run without a lock, where the first one had been given its lock', async () => {
  const { agent, isHeld } = place((state) => InstanceLock.acquire(join(state, 'agent.lock')));
  await agent.start();
  await agent.stop();
  expect(isHeld()).toBe(false);
  await agent.start();
  expect(isHeld()).toBe(true);
});

test('a stop between two starts prevents the first one from beginning anything', async () => {
  const { agent, log } = place();
  await Promise.all([agent.start(), agent.stop(), agent.start()]);
  expect(agent.snapshot().problems.map(({ code }) => code)).not.toContain('stopping');
  expect(log().match(/edge-agent \S+ started/g)).toHaveLength(1);
  await Promise.all([agent.stop(), agent.stop()]);
  expect(() => agent.snapshot()).toThrow('not running');
});

test('the files of osascript for texts that have an outcome are deleted at the start', async () => {
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
