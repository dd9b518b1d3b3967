import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { endServing, servedOsascript } from './ServedOsascript.js';
import { temporaryDirectory } from './temporaryDirectory.js';

test('a call that fails in the process that answers all of them affects no other', (context) => {
  const directory = temporaryDirectory(context);
  const script = servedOsascript(directory);
  context.onTestFinished(() => endServing(directory));
  if (script === undefined) return context.skip();
  const program = join(directory, 'osascript');
  writeFileSync(program, script, { mode: 0o700 });
  // The calls cannot be recorded, so each of them throws.
  mkdirSync(join(directory, 'calls.jsonl'));
  for (const _ of ['the first', 'the second']) {
    const args = ['-l', 'AppleScript', '-', 'a text', 'a target'];
    const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
    expect(status).toBe(1);
    expect(stderr).toContain('EISDIR');
  }
});
