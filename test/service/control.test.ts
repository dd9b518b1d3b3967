import { existsSync, lstatSync, realpathSync, rmSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { restart, rollback, start, stop } from '../../src/service/control.js';
import { uninstall } from '../../src/service/uninstall.js';
import { ServiceBench } from '../support/ServiceBench.js';
import { sized } from '../support/size.js';

describe('an agent that was stopped', { concurrent: true }, () => {
  test('has ended when the verb ends, and stays ended over a reboot', async (context) => {
    const bench = await ServiceBench.open(context);
    const { running } = await bench.install('one', { manner: 'slow' });
    await stop(bench.service);
    expect(() => process.kill(running.pid, 0)).toThrow();
    await bench.launchd.login();
    expect(bench.launchd.job()).toBeUndefined();
  });

  test('runs again after start, and from the next login on', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one');
    await stop(bench.service);
    await stop(bench.service);
    const { pid } = await start(bench.service);
    expect(bench.launchd.job()?.pid).toBe(pid);
    expect((await start(bench.service)).pid).toBe(pid);
    await bench.launchd.login();
    expect((await bench.answers('one')).pid).toBe(bench.launchd.job()?.pid);
  });

  test('keeps running as before where launchd does not allow it to be stopped permanently', async (context) => {
    const bench = await ServiceBench.open(context);
    const { running } = await bench.install('one');
    bench.launchd.fail('disable', 1);
    await expect(stop(bench.service)).rejects.toMatchObject({ code: 'launchd_refused' });
    expect((await bench.answers('one')).pid).toBe(running.pid);
  });

  test('is there after the next login too where launchd would not unload it', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one');
    bench.launchd.fail('bootout', 1);
    await expect(stop(bench.service)).rejects.toMatchObject({ code: 'launchd_refused' });
    await bench.launchd.login();
    await bench.answers('one');
  });

  const VERBS = ['start', 'restart', 'install'] as const;
  test.for(sized<readonly (typeof VERBS)[number][]>(['start'], VERBS))(
    'is there after the next login too where a stop failed halfway, once %s was requested',
    async (verb, context) => {
      const bench = await ServiceBench.open(context);
      await bench.install('one');
      bench.launchd.disabled.add('edge-agent');
      if (verb === 'install') await bench.install('two');
      else await (verb === 'start' ? start : restart)(bench.service);
      await bench.launchd.login();
      await bench.answers(verb === 'install' ? 'two' : 'one');
    },
  );

  test('starts where launchd cannot say for a moment whether another one of its name is gone', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one');
    bench.launchd.shownPath = '/Library/LaunchAgents/edge-agent.plist';
    bench.launchd.onCall = (call) => {
      if (!call.startsWith('bootout')) return;
      bench.launchd.shownPath = undefined;
      bench.launchd.fail('print', 5);
    };
    expect((await start(bench.service)).pid).toBe(bench.launchd.job()?.pid);
  });

  test('is distinguished from one of unknown state, without a desktop session', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one');
    await bench.launchd.logout();
    for (const verb of [start, stop, restart]) {
      await expect(verb(bench.service)).rejects.toMatchObject({ code: 'no_desktop_session' });
    }
  });
});

describe('restart', { concurrent: true }, () => {
  test('waits for the old process to end in order, and for the new one to answer', async (context) => {
    const bench = await ServiceBench.open(context);
    const { running: old } = await bench.install('one', { manner: 'slow' });
    const since = bench.launchd.calls.length;
    const running = await restart(bench.service);
    expect(bench.verbs(since)).toEqual(['enable', 'kill', 'kickstart']);
    expect(running.pid).not.toBe(old.pid);
    expect(running.pid).toBe(bench.launchd.job()?.pid);
  });

  test('ends one that does not end on its own', async (context) => {
    const bench = await ServiceBench.open(context, { patience: { goneMs: 400, againMs: 10 } });
    const { running: old } = await bench.install('one', { manner: 'stubborn' });
    expect((await restart(bench.service)).pid).not.toBe(old.pid);
  });

  test('starts one that was stopped', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one');
    await stop(bench.service);
    expect((await restart(bench.service)).pid).toBe(bench.launchd.job()?.pid);
  });
});

test('a restart of a job that is just being unloaded loads it again', async (context) => {
  const bench = await ServiceBench.open(context);
  await bench.install('one');
  bench.launchd.onCall = (call) => {
    if (!call.startsWith('kill')) return;
    bench.launchd.job()?.remove();
    bench.launchd.fail('kill', 113);
  };
  expect((await restart(bench.service)).pid).toBe(bench.launchd.job()?.pid);
});

describe('rollback', { concurrent: true }, () => {
  test('returns to the version before, and to the newer one again', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one');
    await bench.install('two');
    await rollback(bench.service);
    await bench.answers('one');
    await rollback(bench.service);
    await bench.answers('two');
  });

  test('returns to the node and the configuration of that version as well', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one', { config: '/somewhere/old.yaml' });
    await bench.install('two', { config: '/somewhere/new.yaml', runtime: 'private' });
    expect(realpathSync(bench.places.runtime)).toBe(bench.places.executable);
    expect(await rollback(bench.service)).toMatchObject({ runtimeChanged: true });
    expect((await bench.answers('one')).args.at(-1)).toBe('/somewhere/old.yaml');
    expect(lstatSync(bench.places.runtime).isSymbolicLink()).toBe(true);
  });

  test('finds the version that ran after any number of upgrades that did not', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one');
    const patience = { answerMs: 1_000, againMs: 10 };
    for (const edition of ['two', 'three']) {
      await expect(bench.install(edition, { manner: 'dying', patience })).rejects.toMatchObject({
        remedy: expect.stringContaining('edge-agent rollback'),
      });
    }
    await rollback(bench.service);
    await bench.answers('one');
  });

  test('says that there is no version to return to', async (context) => {
    const bench = await ServiceBench.open(context);
    await expect(rollback(bench.service)).rejects.toMatchObject({ code: 'not_installed' });
    await bench.install('one');
    await expect(rollback(bench.service)).rejects.toMatchObject({
      code: 'not_installed',
      message: expect.stringContaining('no other version'),
    });
  });
});

describe('uninstall', { concurrent: true }, () => {
  test('waits until the agent is gone, and leaves nothing behind, in launchd either', async (context) => {
    const bench = await ServiceBench.open(context);
    const { running } = await bench.install('one', { manner: 'slow' });
    await stop(bench.service);
    await start(bench.service);
    expect(await uninstall(bench.service)).toBe(true);
    expect(() => process.kill(running.pid, 0)).toThrow();
    expect(bench.launchd.job()).toBeUndefined();
    expect(existsSync(bench.places.plist)).toBe(false);
    expect(existsSync(bench.places.root)).toBe(false);
  });

  test('clears the record that it was stopped, which would prevent the next one from starting', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one');
    await stop(bench.service);
    await uninstall(bench.service);
    expect(bench.launchd.disabled.size).toBe(0);
  });

  test('ends a job whose plist was deleted by hand', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one');
    rmSync(bench.places.plist);
    expect(await uninstall(bench.service)).toBe(false);
    expect(bench.launchd.job()).toBeUndefined();
  });

  test('has removed everything before it reports that launchd keeps its record', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one');
    bench.launchd.fail('enable', 99);
    await expect(uninstall(bench.service)).rejects.toMatchObject({ code: 'launchd_refused' });
    expect(existsSync(bench.places.plist)).toBe(false);
    expect(existsSync(bench.places.root)).toBe(false);
  });

  test('works where no one is logged in at the desktop, and where nothing is installed', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one');
    await bench.launchd.logout();
    expect(await uninstall(bench.service)).toBe(true);
    expect(existsSync(bench.places.plist)).toBe(false);
    expect(await uninstall(bench.service)).toBe(false);
  });
});
