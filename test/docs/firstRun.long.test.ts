import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { freePort } from '../support/freePort.js';
import { CLI } from '../support/program.js';
import { cleanEnvironment } from '../support/runCli.js';
import { temporaryDirectory } from '../support/temporaryStore.js';
import { until } from '../support/until.js';
import { page, ROOT } from './page.js';

/** What the page has a new user type, terminal by terminal. */
function blocks(): string[] {
  const [, section = ''] = page('docs/gateway.md').split('\n## First run\n');
  return [...(section.split('\n## ')[0] ?? '').matchAll(/```sh\n(.*?)```/gs)].map(([, block = '']) => block);
}

/** A machine on which the package is installed globally, and an empty directory on it. */
function machine(more: NodeJS.ProcessEnv) {
  const prefix = temporaryDirectory();
  mkdirSync(join(prefix, 'lib/node_modules'), { recursive: true });
  mkdirSync(join(prefix, 'bin'));
  symlinkSync(ROOT, join(prefix, 'lib/node_modules/edge-agent'));
  symlinkSync(CLI, join(prefix, 'bin/edge-agent'));
  const cwd = temporaryDirectory();
  // The usual port of the monitor is in use where tests run.
  const env = cleanEnvironment(cwd, { npm_config_prefix: prefix, EDGE_MONITOR_PORT: '0', ...more });
  return { cwd, env: { ...env, PATH: `${join(prefix, 'bin')}:${process.env.PATH}` } };
}

/** Types a block in a terminal of its own; what runs there ends with the test. */
function terminal(place: { cwd: string; env: NodeJS.ProcessEnv }, block: string) {
  const child = spawn('bash', ['-e', '-c', block], { ...place, detached: true, stdio: 'pipe' });
  const shown: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on('line', (line) => shown.push(line));
  const closed = once(child, 'close');
  onTestFinished(async () => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
    await closed;
  });
  return {
    type: (line: string) => child.stdin.write(`${line}\n`),
    closed,
    shown,
    shows: (part: string) =>
      until(
        () => shown.some((line) => line.includes(part)),
        () => `${part} in:\n${shown.join('\n')}`,
      ),
  };
}

test('the first run of docs/gateway.md works as written: the bot answers a text, and curl sends one', async () => {
  const [port, botPort] = [await freePort(), await freePort()];
  const place = machine({ PORT: String(botPort) });
  const [gateway, bot, messages, agent, curl, ...more] = blocks().map((block) =>
    block
      .replace('edge-agent gateway --allow', `edge-agent gateway --port ${port} --allow`)
      .replaceAll('127.0.0.1:8790', `127.0.0.1:${port}`)
      .replaceAll('127.0.0.1:3000', `127.0.0.1:${botPort}`),
  );
  expect(more).toEqual([]);

  await terminal(place, gateway ?? '').shows('The gateway listens');
  await terminal(place, bot ?? '').shows('listening on http://');
  const mac = terminal(place, messages ?? '');
  await mac.shows('Type a line');
  await terminal(place, agent ?? '').shows('WebSocket connected');
  for (const secret of ['bot.env', '.env'])
    expect(statSync(join(place.cwd, secret)).mode & 0o777).toBe(0o600);

  mac.type('hello');
  await mac.shows('you said: hello');
  const typed = terminal(place, curl ?? '');
  expect(await typed.closed).toEqual([0, null]);
  expect(typed.shown.join('\n')).toContain('"status":"queued"');
  await mac.shows('hello from curl');
  expect(
    mac.shown.filter((line) => line.startsWith('→')).map((line) => line.split(': ').slice(1).join(': ')),
  ).toEqual(['one sec', 'you said: hello', 'hello from curl']);
});
