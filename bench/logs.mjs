import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MAIN } from './DaemonWorld.mjs';
import { bounded, median } from './figures.mjs';

const MB = 1024 * 1024;
const ROUNDS = 7;
const RARE = 'cmd_7f3a90';
/** What a full log has with the usual settings, and a large one. */
const SETS = [
  { name: '6 × 10 MB', files: 6, bytes: 10 * MB },
  { name: '1 GB', files: 6, bytes: 171 * MB },
];
const QUESTIONS = [
  { words: '-n 50', args: ['-n', '50'], most: 150 },
  { words: '--level error', args: ['--level', 'error'], most: 300 },
  { words: '--id', args: ['--id', RARE], most: 300 },
];

/** `edge-agent logs` as a process, where no agent runs: what it takes of the CPU, and its largest memory. */
export async function run() {
  const rows = [];
  const node = medians(await samples(() => usageOf([process.execPath, '-e', '0'])));
  for (const set of SETS) {
    const directory = mkdtempSync(join(tmpdir(), 'edge-agent-bench-'));
    try {
      write(directory, set);
      for (const { words, args, most } of QUESTIONS)
        rows.push(...(await asked(directory, set, words, args, most, node)));
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }
  return rows;
}

async function asked(directory, set, words, args, most, node) {
  const used = medians(
    await samples(() => usageOf([process.execPath, MAIN, 'logs', ...args], environment(directory))),
  );
  const what = `logs ${words}, ${set.name}`;
  return [
    bounded({
      what: `CPU, ${what}`,
      measured: used.cpuMs,
      reference: { name: 'node -e 0', value: node.cpuMs },
      unit: 'ms',
      most,
    }),
    bounded({
      what: `memory, ${what}`,
      measured: used.rss / MB,
      reference: { name: 'node -e 0', value: node.rss / MB },
      unit: 'MB',
      most: node.rss / MB + 50,
    }),
  ];
}

async function samples(run) {
  const results = [];
  for (let round = 0; round < ROUNDS; round++) results.push(await run());
  return results;
}

function medians(runs) {
  return { cpuMs: median(runs.map(({ cpuMs }) => cpuMs)), rss: median(runs.map(({ rss }) => rss)) };
}

const USAGE = `process.on('exit', () => { const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  require('fs').writeSync(2, JSON.stringify({ cpuMs: (userCPUTime + systemCPUTime) / 1000, rss: maxRSS * 1024 })); });`;

async function usageOf([program, ...args], env = process.env) {
  const child = spawn(program, ['-r', usageFile(), ...args], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let told = '';
  child.stderr.on('data', (chunk) => {
    told += chunk;
  });
  await once(child, 'close');
  return JSON.parse(told.slice(told.lastIndexOf('{')));
}

let usagePath;
function usageFile() {
  if (usagePath === undefined) {
    usagePath = join(mkdtempSync(join(tmpdir(), 'edge-agent-bench-')), 'usage.cjs');
    writeFileSync(usagePath, USAGE);
  }
  return usagePath;
}

function environment(directory) {
  return { PATH: process.env.PATH, HOME: directory, EDGE_STATE_DIRECTORY: join(directory, 'state') };
}

function write(directory, { files, bytes }) {
  const state = join(directory, 'state');
  mkdirSync(state);
  const path = join(state, 'edge-agent.log');
  const lines = Array.from({ length: 5_000 }, (_, index) => {
    const level = index % 500 === 0 ? 'WARN' : 'INFO';
    return `[2026-11-20T08:00:00.${String(index % 1000).padStart(3, '0')}Z] [${level}] The backend answered a message trace=6F1B-${index} bubbles=1\n`;
  });
  const block = lines.join('');
  writeFileSync(path, `[2026-11-20T07:59:59.000Z] [ERROR] Once cause="a fault" trace=${RARE}\n`);
  for (let size = 0; size < bytes; size += block.length) appendFileSync(path, block);
  for (let number = 1; number < files; number++) spawnSync('cp', [path, `${path}.${number}`]);
}
