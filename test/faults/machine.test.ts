import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { DaemonProcess } from '../support/DaemonProcess.js';
import { type Cleanup, EdgeWorld, REALTIME } from '../support/EdgeWorld.js';
import { SmallDisk } from '../support/SmallDisk.js';
import { UNPRIVILEGED } from '../support/unprivileged.js';

const canMount = SmallDisk.canMount();
if (!canMount) {
  console.warn(
    'Nothing can be mounted here: full and read-only disks are tested by the port of texts alone.',
  );
}

interface Fault {
  name: string;
  code: string;
  needsMount?: true;
  through?: readonly string[];
  /** Whether it stays with the process. */
  needsOwnProcess?: boolean;
  /** Before the daemon starts. */
  prepare?(world: EdgeWorld, context: Cleanup): void;
  /** Brings the fault about; what it returns takes it away again. */
  begin(world: EdgeWorld, daemon: DaemonProcess, context: Cleanup): () => void;
}

const FAULTS: Fault[] = [
  {
    name: 'the disk of the private files is full while the store has room',
    code: 'disk_full',
    needsMount: true,
    begin(world, _daemon, context) {
      const disk = SmallDisk.mount(context, join(world.state, 'sends'), 1);
      disk.fill();
      return () => disk.makeRoom();
    },
  },
  {
    name: 'the inodes of the disk are used up',
    code: 'disk_full',
    needsMount: true,
    begin(world, _daemon, { onTestFinished }) {
      const path = join(world.state, 'sends');
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m,nr_inodes=8', 'tmpfs', path]);
      onTestFinished(() => void execFileSync('umount', ['-l', path]));
      const taken: string[] = [];
      try {
        for (;;) {
          const file = join(path, `taken${taken.length}`);
          writeFileSync(file, '');
          taken.push(file);
        }
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
      return () => {
        for (const file of taken) rmSync(file);
      };
    },
  },
  {
    name: 'the disk is remounted read-only',
    code: 'state_unwritable',
    needsMount: true,
    begin(world, _daemon, { onTestFinished }) {
      const path = join(world.state, 'sends');
      execFileSync('mount', ['--bind', path, path]);
      onTestFinished(() => void execFileSync('umount', ['-l', path]));
      execFileSync('mount', ['-o', 'remount,bind,ro', path]);
      return () => void execFileSync('mount', ['-o', 'remount,bind,rw', path]);
    },
  },
  {
    name: 'the rights on the directory are removed, for a user that is not root',
    code: 'state_unwritable',
    through: UNPRIVILEGED,
    begin(world) {
      const path = join(world.state, 'sends');
      chmodSync(path, 0o500);
      return () => chmodSync(path, 0o700);
    },
  },
  {
    name: 'the scripts are not readable, for a user that is not root',
    code: 'state_unwritable',
    through: UNPRIVILEGED,
    begin(world) {
      const path = join(world.state, 'applescript');
      chmodSync(path, 0o000);
      return () => chmodSync(path, 0o700);
    },
  },
  {
    name: 'there is no file descriptor left',
    code: 'too_many_files',
    needsOwnProcess: true,
    begin(_world, { pid }) {
      // Two are left: one for the question of the status, none for the files of a text beside it.
      const limit = (soft: string) => execFileSync('prlimit', ['--pid', String(pid), `--nofile=${soft}:`]);
      limit(String(limitLeaving(pid, 1)));
      return () => void limit('1024');
    },
  },
  {
    name: 'osascript is gone',
    code: 'osascript_missing',
    begin(world) {
      const path = join(world.directory, 'osascript', 'osascript');
      renameSync(path, `${path}.away`);
      return () => renameSync(`${path}.away`, path);
    },
  },
  {
    name: 'osascript is not executable',
    code: 'osascript_missing',
    begin(world) {
      const path = join(world.directory, 'osascript', 'osascript');
      chmodSync(path, 0o600);
      return () => chmodSync(path, 0o755);
    },
  },
];

const numbered = ['one', 'two', 'three'];
/** What the third try of three in ten seconds needs, and more. */
const LONGER_THAN_THREE_TRIES_MS = 12_000;

describe.each(FAULTS)(
  'while $name',
  { concurrent: true },
  ({ code, needsMount, through, needsOwnProcess, begin }) => {
    test.skipIf(needsMount === true && !canMount)(
      'texts wait in their order, the status says why, and they are sent once it is over',
      async (context) => {
        const world = await EdgeWorld.open(context);
        const daemon = world.spawn(['run'], { through, isFresh: needsOwnProcess });
        await daemon.line(REALTIME);
        await world.acked(world.command('before'));

        const end = begin(world, daemon, context);
        const commands = numbered.map((text) => world.command(text));
        const { snapshot } = await daemon.statusUntil((answer) => answer.snapshot?.state === 'degraded');
        expect(snapshot?.problems.map((problem) => problem.code)).toEqual([code]);
        expect(snapshot?.problems[0]?.message).toMatch(/Texts wait in order\.$/);
        expect(snapshot?.problems[0]?.remedy).not.toBe('');
        await new Promise((resolve) => setTimeout(resolve, LONGER_THAN_THREE_TRIES_MS));
        expect(commands.flatMap((commandId) => world.acksOf(commandId))).toEqual([]);
        expect(world.texts).toEqual(['before']);

        end();
        for (const commandId of commands) {
          expect(await world.acked(commandId)).toMatchObject({ status: 'completed' });
        }
        await daemon.statusUntil((answer) => answer.snapshot?.state === 'healthy');
        expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
        expect(world.texts).toEqual(['before', ...numbered]);
      },
    );
  },
);

test('a text that waits for this machine survives kill -9 and is sent once, in its order', {
  concurrent: true,
}, async (context) => {
  const world = await EdgeWorld.open(context);
  const osascript = join(world.directory, 'osascript', 'osascript');
  const killed = await world.start();
  renameSync(osascript, `${osascript}.away`);
  const commands = numbered.map((text) => world.command(text));
  await killed.statusUntil(({ snapshot }) => snapshot?.sends_queued === numbered.length);
  await killed.kill('SIGKILL');
  const daemon = await world.start();
  await daemon.statusUntil(({ snapshot }) => snapshot?.problems[0]?.code === 'osascript_missing');
  renameSync(`${osascript}.away`, osascript);
  for (const commandId of commands) {
    expect(await world.acked(commandId)).toMatchObject({ status: 'completed' });
  }
  expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
  expect(world.texts).toEqual(numbered);
});

test.skipIf(!canMount)(
  'a file of a command that finds no room for its copy is kept in the store, in its place, and sent later',
  { concurrent: true },
  async (context) => {
    const world = await EdgeWorld.open(context);
    const daemon = await world.start();
    const path = join(world.attachments, 'edge-agent');
    mkdirSync(path, { recursive: true });
    const disk = SmallDisk.mount(context, path, 1);
    disk.fill();
    const attachments = [
      { data_base64: Buffer.from('an image, more or less').toString('base64'), filename: 'a.png' },
    ];
    const withFile = world.command('look', { attachments });
    const behind = world.command('behind it');
    const { snapshot } = await daemon.statusUntil((answer) => answer.snapshot?.state === 'degraded');
    expect(snapshot?.problems).toMatchObject([
      { code: 'disk_full', message: expect.stringContaining('Files to be sent are waiting') },
    ]);
    expect(world.acksOf(withFile)).toEqual([]);

    disk.makeRoom();
    expect(await world.acked(withFile)).toMatchObject({ status: 'completed' });
    expect(await world.acked(behind)).toMatchObject({ status: 'completed' });
    await daemon.statusUntil((answer) => answer.snapshot?.state === 'healthy');
    expect(world.texts).toEqual(['look', 'a.png', 'behind it']);
  },
);

/** The limit on descriptors that leaves a process so many free ones. */
function limitLeaving(pid: number, free: number): number {
  const used = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
  let limit = 0;
  for (let left = free; left > 0 || used.has(limit); limit++) if (!used.has(limit)) left -= 1;
  return limit;
}
