import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../docs/page.js';

/** How the program behaves as a service. */
export type Manner =
  | 'well'
  /** It never answers on its socket. */
  | 'mute'
  /** It ends as soon as it starts. */
  | 'dying'
  /** It does not end at SIGTERM. */
  | 'stubborn'
  /** It needs a while to end. */
  | 'slow'
  /** It ends only when there is a file `may-end` in the home directory. */
  | 'held';

/**
 * A package of a few lines that is installed and runs as edge-agent does: only then do many installations fit into a
 * test. It answers at `tiny.sock` in the home directory with its edition and the node that it runs with.
 */
export function writeTinyProgram(root: string, edition: string, manner: Manner = 'well'): void {
  for (const folder of ['dist/cli', 'dist/store', 'launchd'])
    mkdirSync(join(root, folder), { recursive: true });
  const manifest = { name: 'tiny', version: '1.0.0', type: 'module', files: ['dist', 'launchd'] };
  writeFileSync(join(root, 'package.json'), JSON.stringify(manifest));
  for (const file of ['edge-agent.plist', 'Info.plist', 'AppIcon.icns'])
    copyFileSync(join(ROOT, 'launchd', file), join(root, 'launchd', file));
  writeFileSync(join(root, 'dist/store/sqlite.js'), 'export const openDatabase = () => ({ close() {} });\n');
  writeFileSync(join(root, 'dist/cli/main.js'), main(edition, manner));
}

function main(edition: string, manner: Manner): string {
  const service = (name: string) => JSON.stringify(join(ROOT, 'dist/service', name));
  return `
import { existsSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { finishRuntime } from ${service('runtimePlace.js')};
import { servicePlaces } from ${service('servicePlaces.js')};

const [, , verb] = process.argv;
if (verb === '--version') console.log('1.0.0');
else if (${JSON.stringify(manner)} === 'dying') process.exitCode = 1;
else if (!finishRuntime(servicePlaces(process.env.HOME))) serve();

function serve() {
  const manner = ${JSON.stringify(manner)};
  const path = process.env.HOME + '/tiny.sock';
  const answer = { pid: process.pid, state: 'healthy', problems: [], edition: ${JSON.stringify(edition)},
    runtime: process.execPath, args: process.argv.slice(2), env: process.env };
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', () => socket.end(JSON.stringify({ ok: true, result: answer }) + '\\n'));
  });
  rmSync(path, { force: true });
  server.listen(manner === 'mute' ? undefined : path);
  process.on('SIGTERM', () => {
    if (manner === 'stubborn') return;
    if (manner === 'held') {
      setInterval(() => existsSync(process.env.HOME + '/may-end') && process.exit(0), 10);
      return;
    }
    setTimeout(() => process.exit(0), manner === 'slow' ? 1200 : 0);
  });
}
`;
}
