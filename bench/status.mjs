import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { DaemonWorld, MAIN } from './DaemonWorld.mjs';
import { bounded, median, nowMs, ratio } from './figures.mjs';

const RUNS = 15;

/** The whole process of `edge-agent status`, asking a daemon that runs, in turns with that of `node -e 0`. */
export async function run() {
  const world = await DaemonWorld.open();
  const { EDGE_STATE_DIRECTORY: state, ...withoutState } = world.env;
  const shipped = readFileSync(new URL('../config.yaml', import.meta.url), 'utf8');
  writeFileSync(world.configPath, shipped.replace(/^state:$/m, `state:\n  directory: ${state}`));
  const commands = [
    { args: ['-e', '0'], env: world.env },
    { args: [MAIN, 'status'], env: world.env },
    { args: [MAIN, 'status', '--json'], env: world.env },
    { args: [MAIN, 'status'], env: withoutState },
    { args: [MAIN, '--version'], env: world.env },
    { args: [MAIN, '--help'], env: world.env },
  ];
  const samples = commands.map(() => []);
  for (let round = -2; round < RUNS; round++) {
    for (const [index, command] of commands.entries()) {
      const took = await wallTime(command, world.directory);
      if (round >= 0) samples[index].push(took);
    }
  }
  await world.close();
  const reference = { name: 'node -e 0', value: median(samples[0]) };
  const row = (what, index) =>
    ratio({ what, measured: median(samples[index]), reference, unit: 'ms', most: 2 });
  const told = (what, index) => bounded({ what, measured: median(samples[index]), reference, unit: 'ms' });
  return [
    row('status', 1),
    row('status --json', 2),
    row('status, state.directory from config.yaml', 3),
    told('--version', 4),
    told('--help', 5),
  ];
}

async function wallTime({ args, env }, cwd) {
  const began = nowMs();
  const child = spawn(process.execPath, args, { cwd, env, stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = await once(child, 'exit');
  const took = nowMs() - began;
  if (code !== 0) throw new Error(`${args.join(' ')} exited with ${code}`);
  return took;
}
