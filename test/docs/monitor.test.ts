import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { TOPICS } from '../../src/model/clientFrames.js';
import { CLOSE } from '../../src/monitor/Client.js';
import { readClientFrame } from '../../src/monitor/monitorFrames.js';
import { monitorVerbs } from '../../src/operator/monitorVerbs.js';
import { IDLE, MonitorWorld } from '../support/MonitorWorld.js';
import { until } from '../support/until.js';
import { anchorsIn, headingAnchors, linksIn, page, ROOT, tableUnder } from './page.js';

const monitor = page('docs/monitor.md');
const words = (cells: (string | undefined)[]) =>
  cells.flatMap((cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word));

/** The first code block of that language that has `part`. */
function example(language: string, part: string): string {
  const blocks = [...monitor.matchAll(/```(\w+)\n([\s\S]*?)```/g)];
  const [, , code = ''] = blocks.find(([, lang, text]) => lang === language && text?.includes(part)) ?? [];
  expect(code, part).not.toBe('');
  return code;
}

test('every link leads somewhere', () => {
  for (const target of linksIn(monitor)) expect(existsSync(join(ROOT, 'docs', target)), target).toBe(true);
  for (const { path, anchor } of anchorsIn(monitor)) {
    const target = path === '' ? 'docs/monitor.md' : join('docs', path);
    expect([...headingAnchors(page(target))], `${path}#${anchor}`).toContain(anchor);
  }
});

test('the table of requests has every existing verb', () => {
  const anything = new Proxy({}, { get: () => () => undefined });
  const verbs = Object.keys(monitorVerbs({ verbs: anything } as Parameters<typeof monitorVerbs>[0]));
  const told = tableUnder('## Requests', monitor).flatMap(([verb]) => words([verb]));
  expect(told.toSorted()).toEqual(verbs.toSorted());
});

test('the table of client frames has every type that is understood', () => {
  const unknown = readClientFrame('{"type":"?"}');
  const known = unknown.kind === 'refused' ? unknown.error.replace(/.*one of /, '').split(', ') : [];
  expect(tableUnder('## Frames from clients', monitor).flatMap(([type]) => words([type]))).toEqual(known);
});

test('every topic and every close code is explained', () => {
  for (const topic of TOPICS) expect(monitor).toContain(`\`${topic}\``);
  for (const code of Object.values(CLOSE))
    expect(monitor).toMatch(new RegExp(`closed with ${code}|With ${code}`, 'i'));
});

test('the lines for wscat do what they promise', async (cleanup) => {
  const world = await MonitorWorld.open(cleanup, { verbs: { status: () => ({ state: 'healthy' }) } });
  const client = await world.operator();
  const lines = [...example('sh', 'wscat').matchAll(/^> (.*)$/gm)].map(([, line = '']) => line);
  expect(lines).toHaveLength(4);
  for (const line of lines) client.say(line);
  for (const type of ['pong', 'user_presence', 'snapshot', 'response']) await client.heard(type);
  expect(client.all('error')).toEqual([]);
});

test('the example for Node runs as printed', async (cleanup) => {
  const world = await MonitorWorld.open(cleanup);
  const other = await world.operator('bob');
  const directory = mkdtempSync(join(tmpdir(), 'edge-example-'));
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  const file = join(directory, 'example.mjs');
  writeFileSync(file, example('js', "from 'ws'").replace('127.0.0.1:3100', `127.0.0.1:${world.server.port}`));
  const env = { ...process.env, MONITOR_TOKEN: await world.token('ann') };
  const child = spawn(process.execPath, [file], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  cleanup.onTestFinished(() => {
    child.kill();
    rmSync(directory, { recursive: true });
  });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  await other.heard('user_presence', ({ data }) => data?.userId === 'ann' && data.status === 'online');
  world.server.broadcastStatus({ ...IDLE, state: 'stopped' });
  await until(
    () => printed.includes("state: 'stopped'"),
    () => `the status; printed: ${printed}`,
  );
  await world.server.stop();
  await until(
    () => printed.includes('disconnected 1001'),
    () => `the end; printed: ${printed}`,
  );
});

test('the example of the client library runs as printed', async (cleanup) => {
  const status = { link: 'realtime', problems: [] };
  const world = await MonitorWorld.open(cleanup, { verbs: { status: () => status } });
  const code = example('js', "from 'edge-agent/monitor-client'");
  const env = { ...process.env, MONITOR_TOKEN: await world.token('ann') };
  // From within the package its own name leads to it.
  const child = spawn(process.execPath, ['--input-type=module'], {
    cwd: ROOT,
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  cleanup.onTestFinished(() => void child.kill());
  child.stdin.end(code.replace('127.0.0.1:3100', `127.0.0.1:${world.server.port}`));
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  const shows = (part: string) =>
    until(
      () => printed.includes(part),
      () => `${part}; printed: ${printed}`,
    );
  await shows('realtime, 0 problems');
  const [messageId, content, sender, timestamp] = ['m', 'hello there', 'bob', new Date().toISOString()];
  world.server.broadcastChatMessage({
    conversationId: 'bob@example.com',
    messageId,
    content,
    sender,
    timestamp,
  });
  await shows('bob@example.com hello there');
  await world.server.stop();
  await shows('waiting The agent stops');
});
