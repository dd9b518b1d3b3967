import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import type { Report } from '../../src/diagnostics/checks/runChecks.js';
import { EdgeWorld } from '../support/EdgeWorld.js';
import { StandIns } from '../support/StandIns.js';

/** As macOS answers a LaunchAgent that may not reach the local network. Of this machine's real one only this address is shut. */
const HOST = '10.255.73.19';
const route = (act: 'add' | 'del') =>
  execFileSync('ip', ['route', act, 'unreachable', HOST], { stdio: 'pipe' });

function canShut(): boolean {
  try {
    route('add');
    route('del');
    return true;
  } catch {
    // Not root, not Linux, or a container without the right: the caller leaves the test out.
    return false;
  }
}
const canBeShut = canShut();
if (!canBeShut) console.warn('No route can be shut here: the local network is tested by its errors alone.');

test.skipIf(!canBeShut)(
  'a backend in the local network that macOS blocks is reported with the setting of macOS, and without it elsewhere',
  async (context) => {
    route('add');
    context.onTestFinished(() => void route('del'));
    const toldBy = async (programs: string | undefined) => {
      const world = await EdgeWorld.open(context, { settings: { 'backend.url': `https://${HOST}` } });
      if (programs !== undefined) world.place.env.STAND_IN_PROGRAMS = programs;
      const daemon = await world.startDegraded();
      const isIt = ({ code }: { code: string }) => code === 'backend_unreachable';
      const { snapshot } = await daemon.statusUntil(
        (answer) => answer.snapshot?.problems.some(isIt) === true,
      );
      return { world, told: snapshot?.problems.find(isIt) };
    };
    const elsewhere = await toldBy(undefined);
    expect(elsewhere.told?.message).toContain('EHOSTUNREACH');
    expect(elsewhere.told?.remedy).not.toContain('System Settings');
    const { world, told } = await toldBy(new StandIns().directory);
    expect(told?.remedy).toContain('Privacy & Security → Local Network');
    const { stdout } = await world.cli('selftest', '--json');
    const check = (JSON.parse(stdout) as Report).checks.find(({ id }) => id === 'local-network');
    expect(check).toMatchObject({ verdict: 'FAIL', remedy: expect.stringContaining('Local Network') });
  },
);
