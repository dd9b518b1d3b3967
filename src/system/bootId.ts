import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { childEnvironment } from './childEnvironment.js';

const SYSCTL = '/usr/sbin/sysctl';
const PATIENCE_MS = 2_000;

/**
 * Names the time since the machine was last started, whatever its clock is set to: `kern.bootsessionuuid` of macOS, `boot_id` of
 * Linux (sysctl(8), random(4)). Undefined where it cannot be read.
 */
export function bootId(env: NodeJS.ProcessEnv, platform: NodeJS.Platform): string | undefined {
  try {
    const id =
      platform === 'darwin' ? bySysctl(env) : readFileSync('/proc/sys/kernel/random/boot_id', 'utf8');
    return id.trim() === '' ? undefined : id.trim();
  } catch {
    // Another system, or a sandbox: it is not known whether it was restarted.
    return undefined;
  }
}

function bySysctl(env: NodeJS.ProcessEnv): string {
  const options = { env: childEnvironment(env), timeout: PATIENCE_MS, encoding: 'utf8' } as const;
  return spawnSync(SYSCTL, ['-n', 'kern.bootsessionuuid'], options).stdout ?? '';
}
