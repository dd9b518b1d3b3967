import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { CLI } from '../support/program.js';
import { cleanEnvironment, runCli } from '../support/runCli.js';
import { temporaryDirectory } from '../support/temporaryStore.js';
import { until } from '../support/until.js';

test('demo --play answers what is typed, accepts a text from another terminal, and leaves nothing behind', async () => {
  const home = temporaryDirectory();
  const place = { cwd: home, env: cleanEnvironment(home) };
  const child = spawn(process.execPath, [CLI, 'demo', '--play'], { ...place, stdio: 'pipe' });
  onTestFinished(() => void child.kill('SIGKILL'));
  const exited = new Promise((resolve) => child.on('close', resolve));
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  const shows = (part: string) =>
    until(
      () => lines.some((line) => line.includes(part)),
      () => `${part} in:\n${lines.join('\n')}`,
    );

  await shows('Type a message');
  child.stdin.write('is anybody there?\n');
  await shows('Messages │ → Ann: you said: is anybody there?');

  await shows(' send +1');
  const [, config = '', to = ''] =
    /--config (\S+) send (\S+) /.exec(lines.find((line) => line.includes(' send +1')) ?? '') ?? [];
  const sent = await runCli(['--config', config, 'send', to, 'hello Ann'], place);
  expect(sent).toMatchObject({ exitCode: 0, stderr: '' });
  await shows('Messages │ → Ann: hello Ann');
  expect(lines.filter((line) => line.includes('→ Ann: hello Ann'))).toHaveLength(1);

  child.stdin.end();
  expect(await exited).toBe(0);
  expect(existsSync(dirname(config))).toBe(false);
});
