import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PACKAGE_ROOT } from '../../src/system/packageRoot.js';
import { PATIENCE_MS } from '../support/patience.js';
import { type CliResult, cleanEnvironment } from '../support/runCli.js';
import { temporaryDirectory } from '../support/temporaryStore.js';

/** better-sqlite3 and what it needs at run time. */
const LIBRARIES = ['better-sqlite3', 'bindings', 'file-uri-to-path'] as const;

describe('an edge-agent whose better-sqlite3', () => {
  let installed = '';

  beforeAll(() => {
    installed = mkdtempSync(join(tmpdir(), 'edge-'));
    for (const part of ['dist', 'package.json', ...LIBRARIES.map((name) => join('node_modules', name))])
      cpSync(join(PACKAGE_ROOT, part), join(installed, part), { recursive: true });
    rmSync(join(installed, 'node_modules', 'better-sqlite3', 'build'), { recursive: true });
  });
  afterAll(() => rmSync(installed, { recursive: true, force: true }));

  /** `preload`: a module that Node loads before. */
  function edgeAgent(home: string, verb: string, preload?: string): Promise<CliResult> {
    const env = cleanEnvironment(home, { USER_PHONE: '+13105550100', BACKEND_URL: 'http://127.0.0.1:9' });
    const args = [...(preload === undefined ? [] : ['--require', preload]), 'dist/cli/main.js', verb];
    return new Promise((resolve) => {
      execFile(
        process.execPath,
        args.map((arg) => (arg.startsWith('dist') ? join(installed, arg) : arg)),
        { env, cwd: home, timeout: PATIENCE_MS },
        (error, stdout, stderr) =>
          resolve({ exitCode: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
      );
    });
  }

  test.each(['run', 'demo', 'gateway'])(
    'was not installed by npm reports that at %s, and how to fix it',
    async (verb) => {
      const { exitCode, stderr } = await edgeAgent(temporaryDirectory(), verb);
      expect(stderr).toBe(
        'edge-agent: better-sqlite3 cannot be loaded: npm did not run its install script, which fetches or compiles it.\n' +
          'Install edge-agent again with --ignore-scripts=false --allow-scripts=better-sqlite3.\n',
      );
      expect(exitCode).toBe(1);
    },
  );

  test('was built for another Node reports that at run, and which Node this is', async () => {
    const home = temporaryDirectory();
    const preload = join(home, 'otherNode.cjs');
    mkdirSync(home, { recursive: true });
    writeFileSync(
      preload,
      `process.dlopen = () => {
        throw Object.assign(new Error("The module 'better_sqlite3.node'\\nwas compiled against a different Node.js version using\\nNODE_MODULE_VERSION 999."), { code: 'ERR_DLOPEN_FAILED' });
      };
      const build = ${JSON.stringify(join(PACKAGE_ROOT, 'node_modules', 'better-sqlite3', 'build', 'Release', 'better_sqlite3.node'))};
      const { Module } = require('node:module');
      const resolve = Module._resolveFilename;
      Module._resolveFilename = (name, ...rest) => name.endsWith('build/better_sqlite3.node') ? build : resolve(name, ...rest);`,
    );
    const { stderr } = await edgeAgent(home, 'run', preload);
    expect(stderr).toBe(
      `edge-agent: better-sqlite3 cannot be loaded: it was installed with another version of Node than this ${process.version}.\n` +
        'Install edge-agent again with this Node, or run it with the Node that installed it.\n',
    );
  });

  test('was not installed by npm fails the node check of the doctor', async () => {
    const { exitCode, stdout } = await edgeAgent(temporaryDirectory(), 'doctor');
    expect(stdout).toMatch(
      /^FAIL {2}node +better-sqlite3 cannot be loaded: npm did not run its install script.*\n +→ Install edge-agent again with --ignore-scripts=false/m,
    );
    expect(exitCode).toBe(1);
  });
});
