import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Logger } from '../../../src/logging/Logger.js';
import { OsascriptRunner, type SendRequest } from '../../../src/messages/applescript/OsascriptRunner.js';
import { type Clock, systemClock } from '../../../src/system/clock.js';
import { freshId } from '../../../src/system/random.js';

/** A directory of its own, with a runner whose osascript is a shell script given by its body. */
export class Workbench {
  readonly directory = mkdtempSync(join(tmpdir(), 'osascript-'));
  readonly state = join(this.directory, 'state');
  readonly warnings: string[] = [];

  path(name: string): string {
    return join(this.directory, name);
  }

  shell(body: string): string {
    const path = this.path(freshId('stand-in'));
    writeFileSync(path, `#!/bin/sh\n${body}\n`);
    chmodSync(path, 0o755);
    return path;
  }

  runner(
    osascriptPath: string,
    options: { env?: NodeJS.ProcessEnv; platform?: NodeJS.Platform; clock?: Clock } = {},
  ): OsascriptRunner {
    const silent = () => undefined;
    const log: Logger = {
      debug: silent,
      info: silent,
      error: silent,
      warn: (line) => this.warnings.push(line),
    };
    const { env = process.env, ...rest } = options;
    return new OsascriptRunner({
      osascriptPath,
      stateDirectory: this.state,
      env,
      clock: systemClock,
      log,
      ...rest,
    });
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** An ordinary request with these changes. */
export function request(changes: Partial<SendRequest> = {}): SendRequest {
  return {
    tag: freshId('att'),
    form: 'chat',
    target: 'iMessage;-;+13105550100',
    text: 'hello',
    deadlineMs: 15_000,
    ...changes,
  };
}
