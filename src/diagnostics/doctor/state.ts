import { existsSync, readdirSync, statfsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describeError } from '../../errors.js';
import { openToLook } from '../../store/lookIntoStore.js';
import { MIGRATIONS } from '../../store/schema.js';
import { isLoopback } from '../../system/network.js';
import { type Check, type ConfiguredBench, fail, type Outcome, pass, skip, warn } from '../checks/check.js';
import { logFileInForce } from '../checks/logFileInForce.js';

const MIB = 1024 ** 2;
const DISK_WARN_BYTES = 1024 * MIB;
const DISK_FAIL_BYTES = 100 * MIB;
const LOG_WARN_BYTES = 512 * MIB;

/** Where it is, that other users cannot read it, and that it is not sent in plain text over a network. */
export const secret: Check = {
  id: 'secret',
  title: 'the secret is set and private',
  run(context) {
    const { config, secrets, envPath } = context.config.loaded;
    const present = [
      ...(secrets.edgeSecret === undefined ? [] : ['EDGE_SECRET']),
      ...(secrets.edgeToken === undefined ? [] : ['EDGE_TOKEN']),
    ];
    if (present.length === 0) {
      const remedy = `Put EDGE_SECRET=… into ${envPath}, or run: edge-agent setup`;
      return fail('neither EDGE_SECRET nor EDGE_TOKEN is set', remedy);
    }
    if (config.auth.mode === 'secret' && !isLoopback(new URL(config.backend.url).hostname)) {
      const evidence = 'auth.mode is "secret" and the backend is not on this machine';
      const remedy = 'Set auth.mode: hmac';
      return config.auth.allow_plain_secret ? warn(evidence, remedy) : fail(evidence, remedy);
    }
    const open = openToOthers(envPath);
    if (open !== undefined)
      return fail(open, `Run: chmod 600 "${envPath}"; chmod go-w "${dirname(envPath)}"`);
    const how = config.auth.mode === 'hmac' ? 'signs tokens' : 'sent as it is, on this machine only';
    return pass(`${present.join(' and ')}; ${how}`);
  },
};

/** Why others can read or replace the file; undefined if they cannot, or if there is none. */
function openToOthers(path: string): string | undefined {
  const file = statSync(path, { throwIfNoEntry: false });
  if (file === undefined) return undefined;
  if ((file.mode & 0o077) !== 0) return `${path} can be read or written by others (mode ${octal(file.mode)})`;
  const directory = statSync(dirname(path));
  const isSticky = (directory.mode & 0o1000) !== 0;
  if ((directory.mode & 0o022) === 0 || isSticky) return undefined;
  return `${dirname(path)} can be written by others (mode ${octal(directory.mode)}), who could replace .env`;
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0');
}

export const disk: Check = {
  id: 'disk',
  title: 'there is free space on the disk',
  run({ config: { loaded } }) {
    const place = existing(loaded.config.state.directory);
    const { bavail, bsize } = statfsSync(place);
    const free = bavail * bsize;
    const evidence = `${megabytes(free)} free for ${place}`;
    const remedy = 'Free space on the disk: the agent accepts nothing new while it is full.';
    if (free < DISK_FAIL_BYTES) return fail(evidence, remedy);
    return free < DISK_WARN_BYTES ? warn(evidence, remedy) : pass(evidence);
  },
};

/** The log rotates itself; what launchd writes, and what was left behind, does not. */
export const logSize: Check = {
  id: 'log-size',
  title: 'the logs exist and stay small',
  async run({ agent, askAgent, config: { loaded } }) {
    const current = (await logFileInForce(askAgent)) ?? loaded.config.logging.file;
    if (agent.kind === 'up' && !existsSync(current)) {
      const remedy =
        'It is recreated with the next line. If it is not, check the permissions there, and restart the agent.';
      return warn(`an agent runs, but there is no ${current}`, remedy);
    }
    const directories = new Set([loaded.config.state.directory, dirname(current)]);
    const logs = [...directories].flatMap(logsIn);
    if (logs.length === 0) return skip('there is no log yet');
    const total = logs.reduce((sum, { bytes }) => sum + bytes, 0);
    const [largest] = logs.toSorted((a, b) => b.bytes - a.bytes);
    const evidence = `${logs.length} files, ${megabytes(total)} in all`;
    if (total < LOG_WARN_BYTES || largest === undefined) return pass(evidence);
    return warn(
      `${evidence}; the largest is ${largest.path}`,
      'See what it repeats, then empty it: : > <file>',
    );
  },
};

function logsIn(directory: string): { path: string; bytes: number }[] {
  if (statSync(directory, { throwIfNoEntry: false }) === undefined) return [];
  return readdirSync(directory)
    .filter((name) => /\.log(?:[.-]|$)/.test(name))
    .map((name) => join(directory, name))
    .map((path) => ({ path, bytes: statSync(path, { throwIfNoEntry: false })?.size ?? 0 }));
}

/** Reads only: a running agent writes on meanwhile. */
export const store: Check = {
  id: 'store',
  title: "the agent's own store is intact",
  run(context) {
    const path = storePath(context);
    const file = statSync(path, { throwIfNoEntry: false });
    if (file === undefined) return skip(`${path} does not exist yet: the first start creates it`);
    try {
      return soundness(path, file.size);
    } catch (error) {
      const remedy =
        'Check the disk and the owner of the file. A damaged store is set aside and rebuilt at the next start from what can be read.';
      return fail(`${path}: ${describeError(error)}`, remedy);
    }
  },
};

/** The agent's own database. */
export function storePath({ config: { loaded } }: ConfiguredBench): string {
  return join(loaded.config.state.directory, 'edge-agent.db');
}

function soundness(path: string, bytes: number): Outcome {
  const database = openToLook(path);
  try {
    const version = Number(database.pragma('user_version', { simple: true }));
    if (version > MIGRATIONS.length) {
      return fail(
        `it was written by a newer edge-agent (version ${version})`,
        'Install the newer edge-agent again.',
      );
    }
    const verdict = String(database.pragma('quick_check(1)', { simple: true }));
    const evidence = `quick_check: ${verdict}; ${megabytes(bytes)}, version ${version}`;
    if (verdict === 'ok') return pass(evidence);
    return fail(
      evidence,
      'Restart the agent: it sets the damaged store aside and keeps all that can be read. Check the disk.',
    );
  } finally {
    database.close();
  }
}

/** The nearest directory above that is there. */
function existing(directory: string): string {
  const isThere = statSync(directory, { throwIfNoEntry: false }) !== undefined;
  return isThere || directory === dirname(directory) ? directory : existing(dirname(directory));
}

function megabytes(bytes: number): string {
  return bytes < MIB ? 'under 1 MB' : `${Math.round(bytes / MIB)} MB`;
}
