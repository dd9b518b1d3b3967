import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SendRequest } from '../../../src/messages/applescript/OsascriptRunner.js';
import { DISPATCH_MARKER } from '../../../src/messages/applescript/scripts.js';
import { systemClock } from '../../../src/system/clock.js';
import { until } from '../../support/until.js';
import { request, Workbench } from './Workbench.js';

let bench: Workbench;
const started: ChildProcess[] = [];
beforeEach(() => {
  bench = new Workbench();
});
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
  bench.remove();
});

/** Starts a run in a process of its own, which is killed as soon as `sign` is there. Resolves when it is dead. */
async function dieWhileSending(osascriptPath: string, asked: SendRequest, sign: string): Promise<void> {
  const load = (file: string) => pathToFileURL(join('dist', file)).href;
  const program = `
    const { OsascriptRunner } = await import('${load('messages/applescript/OsascriptRunner.js')}');
    const { systemClock } = await import('${load('system/clock.js')}');
    const options = JSON.parse(process.argv[1]);
    new OsascriptRunner({ ...options, env: process.env, clock: systemClock, log: console }).start(options.asked);
  `;
  const options = { osascriptPath, stateDirectory: bench.state, asked };
  const args = ['--input-type=module', '-e', program, JSON.stringify(options)];
  const agent = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  started.push(agent);
  await appears(sign);
  agent.kill('SIGKILL');
  await once(agent, 'exit');
}

const appears = (path: string) =>
  until(
    () => existsSync(path),
    () => `${path} to appear`,
  );

/** A stand-in that creates a file when it has begun, and ends when another file exists. */
function patient(begin = ''): string {
  const [begun, go] = [bench.path('begun'), bench.path('go')];
  return bench.shell(`${begin}\ntouch '${begun}'; until test -e '${go}'; do sleep 0.02; done`);
}

function finish(): void {
  writeFileSync(bench.path('go'), '');
}

describe.each([process.platform, 'darwin'] as const)(
  'after a kill of the agent, seen as on %s,',
  (platform) => {
    test('a run that continues is found, and its end is waited for', async () => {
      const asked = request({ text: 'two\nlines of "text"' });
      const path = patient();
      await dieWhileSending(path, asked, bench.path('begun'));
      const runner = bench.runner(path, { platform });
      const seen = await runner.inspect(asked.tag);
      expect(seen).toEqual({ running: true, pid: expect.any(Number), marker: false, exitKnown: false });
      const end = runner.waitForEnd(asked.tag, 30_000);
      finish();
      expect(await end).toEqual({ running: false, marker: false, exitKnown: false, killed: false });
    });

    test('a run that reached its send is recognised by its marker, running or ended', async () => {
      const asked = request();
      const path = patient(`echo ${DISPATCH_MARKER} >&2`);
      await dieWhileSending(path, asked, bench.path('begun'));
      const runner = bench.runner(path, { platform });
      expect(await runner.inspect(asked.tag)).toMatchObject({ running: true, marker: true });
      finish();
      expect(await runner.waitForEnd(asked.tag, 30_000)).toMatchObject({
        running: false,
        marker: true,
        killed: false,
      });
    });

    test('a run is killed at its deadline and never sooner', async () => {
      const asked = request();
      const path = patient();
      await dieWhileSending(path, asked, bench.path('begun'));
      const runner = bench.runner(path, { platform });
      const began = performance.now();
      expect(await runner.waitForEnd(asked.tag, 600)).toMatchObject({ running: false, killed: true });
      expect(performance.now() - began).toBeGreaterThanOrEqual(600);
      expect(await runner.inspect(asked.tag)).toMatchObject({ running: false });
    });

    test('a run is killed also where the machine is so busy that the first check ends long after the deadline', async () => {
      const asked = request();
      await dieWhileSending(patient(), asked, bench.path('begun'));
      let calls = 0;
      const monotonic = () => systemClock.monotonic() + (calls++ === 0 ? 0 : 60_000);
      const runner = bench.runner('/nowhere', { platform, clock: { ...systemClock, monotonic } });
      expect(await runner.waitForEnd(asked.tag, 600)).toMatchObject({ running: false, killed: true });
    });
  },
);

describe('an attempt that was killed at its deadline', () => {
  test('by the run of the agent that made it may have sent, also if that run ends before it can record it', async () => {
    const asked = request({ deadlineMs: 200 });
    expect(await bench.runner(bench.shell('sleep 30')).start(asked).result).toMatchObject({
      kind: 'unknown',
    });
    expect(await bench.runner('/nowhere').inspect(asked.tag)).toMatchObject({ running: false, marker: true });
  });

  test('by a later run of the agent may have sent, also if that one ends too', async () => {
    const asked = request();
    await dieWhileSending(patient(), asked, bench.path('begun'));
    const end = await bench.runner('/nowhere').waitForEnd(asked.tag, 0);
    expect(end).toMatchObject({ running: false, killed: true });
    expect(await bench.runner('/nowhere').inspect(asked.tag)).toMatchObject({ running: false, marker: true });
  });
});

describe('an attempt whose file another version of the agent made or reads', () => {
  const fileOf = (tag: string) => join(bench.state, 'sends', `${tag}.log`);

  test('that printed nothing is proven not to have sent, though the earlier version reserved more space', async () => {
    const { tag } = request();
    bench.runner('/nowhere').prepare();
    writeFileSync(fileOf(tag), `${tag}\n`.padEnd(16 * 1024, ' '));
    expect(await bench.runner('/nowhere').inspect(tag)).toMatchObject({ running: false, marker: false });
  });

  test('and that was killed may have sent, by what every version reads in its file', async () => {
    const asked = request({ deadlineMs: 200 });
    const run = bench.runner(bench.shell('echo waiting >&2; sleep 30')).start(asked);
    expect(await run.result).toMatchObject({ kind: 'unknown', detail: 'waiting' });
    expect(readFileSync(fileOf(asked.tag), 'utf8')).toContain(DISPATCH_MARKER);
    expect(statSync(fileOf(asked.tag)).size).toBe(8 * 1024);
  });

  test('and that this version killed may have sent', async () => {
    const asked = request();
    await dieWhileSending(patient(), asked, bench.path('begun'));
    writeFileSync(fileOf(asked.tag), readFileSync(fileOf(asked.tag), 'utf8').padEnd(16 * 1024, ' '));
    const end = await bench.runner('/nowhere').waitForEnd(asked.tag, 0);
    expect(end).toMatchObject({ running: false, killed: true, marker: true });
  });
});

describe('an attempt of an earlier run of the agent', () => {
  test('that never reached spawn is proven not to have sent', async () => {
    const seen = await bench.runner('/nowhere').inspect(request().tag);
    expect(seen).toEqual({ running: false, marker: false, exitKnown: false });
  });

  test('proves nothing once the machine was restarted since', async () => {
    const asked = request();
    const runner = bench.runner(bench.shell('exit 1'));
    await runner.start(asked).result;
    expect(await runner.inspect(asked.tag, false)).toMatchObject({ running: false, marker: true });
    expect(await runner.inspect(asked.tag, true)).toMatchObject({ running: false, marker: false });
  });

  test('is not taken for running because another process searches for its tag', async () => {
    const asked = request();
    const looking = spawn('sh', ['-c', 'sleep 30; exit 0', 'grep', asked.tag], { stdio: 'ignore' });
    started.push(looking);
    await once(looking, 'spawn');
    for (const platform of [process.platform, 'darwin'] as const) {
      const runner = bench.runner('/nowhere', { platform });
      expect(await runner.inspect(asked.tag)).toMatchObject({ running: false });
    }
  });

  test('is left alone when the waiting is stopped', async () => {
    const runner = bench.runner(patient());
    const asked = request();
    const run = runner.start(asked);
    await appears(bench.path('begun'));
    const stop = new AbortController();
    const waiting = runner.waitForEnd(asked.tag, 30_000, { stop: stop.signal });
    stop.abort();
    expect(await waiting).toMatchObject({ running: true, killed: false });
    finish();
    expect(await run.result).toEqual({ kind: 'accepted' });
  });
});

describe('private files', () => {
  const files = () => readdirSync(join(bench.state, 'sends')).sort();

  test('are deleted one by one, and twice is fine', async () => {
    const runner = bench.runner(bench.shell('exit 1'));
    const asked = request();
    await runner.start(asked).result;
    runner.forget(asked.tag);
    runner.forget(asked.tag);
    expect(files()).toEqual(['next.spare']);
    expect(bench.warnings).toEqual([]);
  });

  /** A runner whose osascript prints its text, once it has a file ready. */
  async function ready() {
    const runner = bench.runner(bench.shell('echo "$4 was said" >&2; exit 1'));
    const send = async (text: string) => {
      const asked = request({ text });
      const { pid, result } = runner.start(asked);
      expect(pid).toBeDefined();
      expect(await result).toMatchObject({ kind: 'notStarted', detail: `${text} was said` });
      return asked.tag;
    };
    runner.forget(await send('the first'));
    return { runner, send };
  }
  const inode = (name: string) => statSync(join(bench.state, 'sends', name)).ino;

  test('are ready for the next attempt, and of that one alone', async () => {
    const { runner, send } = await ready();
    const spare = inode('next.spare');
    const [second, third] = [await send('the second'), await send('the third')];
    expect(inode(`${second}.log`)).toBe(spare);
    expect(inode(`${third}.log`)).not.toBe(spare);
    runner.forget(third);
    expect(inode('next.spare')).not.toBe(spare);
    expect(readFileSync(join(bench.state, 'sends', `${second}.log`), 'utf8')).toMatch(
      /^\S+\nthe second was said\n *$/,
    );
  });

  test.for([
    ['was removed', () => rmSync(join(bench.state, 'sends', 'next.spare'))],
    ['was replaced', () => renameSync(bench.shell('exit 1'), join(bench.state, 'sends', 'next.spare'))],
    ['was removed with its directory', () => rmSync(join(bench.state, 'sends'), { recursive: true })],
  ] as const)('are made by the attempt where the one that was ready %s', async ([, harm]) => {
    const { send } = await ready();
    harm();
    const tag = await send('the second');
    expect(readFileSync(join(bench.state, 'sends', `${tag}.log`), 'utf8')).toMatch(
      /the second was said\n *$/,
    );
  });

  test('are made by the attempt where another process took the one that was ready, as selftest may', async () => {
    const { send } = await ready();
    linkSync(join(bench.state, 'sends', 'next.spare'), join(bench.state, 'sends', 'taken'));
    const tag = await send('the second');
    expect(inode(`${tag}.log`)).not.toBe(inode('taken'));
  });

  test('are deleted except those kept, those of running attempts, and others’ files', async () => {
    const runner = bench.runner(patient());
    const living = request();
    const run = runner.start(living);
    const [kept, old] = [request().tag, request().tag];
    for (const name of [`${kept}.log`, `${old}.log`, 'notes.txt']) {
      writeFileSync(join(bench.state, 'sends', name), '');
    }
    runner.sweep([kept]);
    expect(files()).toEqual([`${kept}.log`, `${living.tag}.log`, 'notes.txt'].sort());
    finish();
    await run.result;
  });

  test('that cannot be deleted are a warning and no more', () => {
    const { tag } = request();
    mkdirSync(join(bench.state, 'sends', `${tag}.log`), { recursive: true });
    const runner = bench.runner('/nowhere');
    runner.forget(tag);
    runner.sweep([]);
    expect(bench.warnings).toHaveLength(2);
  });
});
