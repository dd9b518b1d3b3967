import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import type { MarkerProof } from '../../model/operatorApi.js';
import { type Clock, sleep } from '../../system/clock.js';
import { randomHex } from '../../system/random.js';
import { PrivateFiles } from './PrivateFiles.js';
import { killProcessGroup } from './RunRecovery.js';
import { DISPATCH_MARKER } from './scripts.js';

interface ProofOptions {
  readonly osascriptPath: string;
  readonly stateDirectory: string;
  /** Without our secrets. */
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
}

/** What follows the marker takes much longer than the marker has to be seen. */
const FOLLOWS_S = 30;
const PATIENCE_MS = 15_000;
/** How long it must continue after the marker: in a script that is about to end, the end follows the marker. */
const GOES_ON_MS = 1_000;
const LOOK_EVERY_MS = 20;

/**
 * Tests whether a log line of a script is in its file before the next statement begins: a script logs the dispatch
 * marker like those that send, then waits, and the marker must be in the file while it waits. It sends nothing and
 * needs no permission. Ends within 17 s; never rejects.
 */
export async function proveMarker(options: ProofOptions): Promise<MarkerProof> {
  const { osascriptPath, stateDirectory, env, clock } = options;
  const files = new PrivateFiles(stateDirectory);
  const tag = `marker-${randomHex(8)}`;
  try {
    files.prepare();
    const output = files.createOutput(tag);
    const script = ['-e', `log "${DISPATCH_MARKER}"`, '-e', `delay ${FOLLOWS_S}`];
    const stdio = ['ignore' as const, output, output];
    const child = spawn(osascriptPath, ['-l', 'AppleScript', ...script], { detached: true, stdio, env });
    closeSync(output);
    let ended: string | undefined;
    child.on('error', ({ message }) => {
      ended ??= message;
    });
    child.on('exit', (code) => {
      ended ??= `osascript ended with ${code ?? 'a signal'} with its marker, or without`;
    });
    const began = clock.monotonic();
    const elapsed = () => Math.round(clock.monotonic() - began);
    let seenAt: number | undefined;
    try {
      for (;;) {
        if (files.readOutput(tag)?.tail.includes(DISPATCH_MARKER)) seenAt ??= elapsed();
        // Once it has ended, the marker may have come with its end.
        if (ended !== undefined) return { proven: false, why: ended };
        if (seenAt !== undefined && elapsed() - seenAt >= GOES_ON_MS) return { proven: true, ms: seenAt };
        if (seenAt === undefined && elapsed() > PATIENCE_MS)
          return { proven: false, why: `no marker within ${PATIENCE_MS / 1000} s` };
        await sleep(clock, LOOK_EVERY_MS);
      }
    } finally {
      if (child.pid !== undefined && ended === undefined) killProcessGroup(child.pid);
    }
  } catch (error) {
    return { proven: false, why: String(error) };
  } finally {
    removeQuietly(files, tag);
  }
}

function removeQuietly(files: PrivateFiles, tag: string): void {
  try {
    files.remove(tag);
  } catch {
    // The next start of the agent sweeps it.
  }
}
