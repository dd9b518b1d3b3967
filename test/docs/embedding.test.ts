import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryDirectory } from '../support/temporaryStore.js';
import { page, ROOT } from './page.js';

/** A project that has the package, as `npm link` would put it there. */
function project(): string {
  const directory = temporaryDirectory();
  mkdirSync(join(directory, 'node_modules'));
  symlinkSync(ROOT, join(directory, 'node_modules', 'edge-agent'));
  return directory;
}

test('the program on the page compiles against the published types, runs, and ends as described', async () => {
  const blocks = [...page('docs/embedding.md').matchAll(/```ts\n([\s\S]*?)```/g)].map(
    ([, code = '']) => code,
  );
  expect(blocks).toHaveLength(2);
  const directory = project();
  const program = join(directory, 'program.mts');
  writeFileSync(program, `${blocks.join('\n')}\nconsole.log('watched by', total, authenticated);\n`);
  const options = [
    '--ignoreConfig',
    '--module',
    'nodenext',
    '--target',
    'es2022',
    '--strict',
    '--skipLibCheck',
    '--types',
    'node',
    '--typeRoots',
    join(ROOT, 'node_modules', '@types'),
  ];
  execFileSync(join(ROOT, 'node_modules', '.bin', 'tsc'), [...options, program], {
    cwd: ROOT,
    stdio: 'pipe',
  });
  const home = temporaryDirectory();
  const env = {
    PATH: process.env.PATH,
    HOME: home,
    USER_PHONE: '+13105550100',
    BACKEND_URL: 'http://127.0.0.1:9',
    EDGE_MONITOR_ENABLED: 'true',
    EDGE_MONITOR_PORT: '0',
    EDGE_STATE_DIRECTORY: join(home, 'state'),
  };
  const child = spawn(process.execPath, [join(directory, 'program.mjs')], { cwd: home, env });
  onTestFinished(() => void child.kill('SIGKILL'));
  const ended = once(child, 'exit');
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'watched by 0 0') child.kill('SIGTERM');
  }
  expect(await ended).toEqual([0, null]);
});
