import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { Bundle } from '../../src/system/Bundle.js';
import { CLI } from '../support/program.js';
import { cleanEnvironment } from '../support/runCli.js';
import { temporaryDirectory } from '../support/temporaryStore.js';

const WRAPPED = '(function (module, exports, require, bundleUrl, hasCode) {';

/** A bundle of two modules; the second reports whether V8 had the code of both. */
class BundleOnDisk {
  readonly directory = temporaryDirectory();

  constructor(answer: string) {
    mkdirSync(join(this.directory, 'cli'));
    this.write('chunk.cjs', `module.exports = { answer: () => '${answer}' };`);
    const main =
      "const { answer } = require('../chunk.cjs'); module.exports = { answer, hasCode, bundleUrl };";
    this.write('cli/main.cjs', main);
  }

  write(name: string, body: string): void {
    writeFileSync(join(this.directory, name), `${WRAPPED}${body}\n})\n`);
  }

  /** As a new process would see it. */
  open(compiled?: ConstructorParameters<typeof Bundle>[2]): Bundle {
    return new Bundle(this.directory, createRequire(import.meta.url), compiled);
  }

  run(): { answer: string; hasCode: boolean } {
    const main = this.open().load('cli/main.cjs') as { answer: () => string; hasCode: () => boolean };
    return { answer: main.answer(), hasCode: main.hasCode() };
  }

  keepCode(): void {
    const bundle = this.open();
    bundle.load('cli/main.cjs');
    bundle.keepCode();
  }

  get codePath(): string {
    const [directory = ''] = readdirSync(this.directory).filter((name) => name.startsWith('code-'));
    return join(this.directory, directory, 'chunk.cjs');
  }
}

describe('a bundle', () => {
  test('runs without stored code, and with it', () => {
    const bundle = new BundleOnDisk('here');
    expect(bundle.run()).toEqual({ answer: 'here', hasCode: false });
    bundle.keepCode();
    expect(bundle.run()).toEqual({ answer: 'here', hasCode: true });
  });

  test('does not run the code of another source of the same length, which V8 would', () => {
    const bundle = new BundleOnDisk('old!');
    bundle.keepCode();
    bundle.write('chunk.cjs', "module.exports = { answer: () => 'new!' };");
    expect(bundle.run()).toEqual({ answer: 'new!', hasCode: false });
  });

  test('does not give V8 code that is damaged or cut off, on which it would crash', () => {
    const bundle = new BundleOnDisk('here');
    bundle.keepCode();
    const whole = readFileSync(bundle.codePath);
    for (let at = 0; at < whole.length; at += 1) {
      const damaged = Buffer.from(whole);
      damaged.writeUInt8(damaged.readUInt8(at) ^ 0x10, at);
      writeFileSync(bundle.codePath, at % 2 === 0 ? damaged : whole.subarray(0, at));
      expect(bundle.run(), `byte ${at}`).toEqual({ answer: 'here', hasCode: false });
    }
  });
});

test('code that one bundle of a process has compiled is run again by the next one without compiling', () => {
  const onDisk = new BundleOnDisk('here');
  const compiled = new Map();
  const load = () => onDisk.open(compiled).load('cli/main.cjs');
  const first = load();
  onDisk.write('chunk.cjs', 'a file that is not read again');
  expect(load()).toMatchObject({ answer: expect.any(Function), bundleUrl: expect.any(String) });
  expect(load()).not.toBe(first);
});

describe('the command', () => {
  test.each([
    ['the flags of the service', ['--optimize-for-size']],
    ['no flags', []],
  ])('starts from the code that the build has stored, with %s', (_, flags) => {
    const home = temporaryDirectory();
    const preload = join(home, 'tell.mjs');
    const bundle = pathToFileURL(join(CLI, '../../system/Bundle.cjs')).href;
    writeFileSync(
      preload,
      `import { Bundle } from '${bundle}';
      const { load } = Bundle.prototype;
      Bundle.prototype.load = function (name) {
        process.exitedWith ??= process.on('exit', () => console.log('hasCode', this.hasCode));
        return load.call(this, name);
      };`,
    );
    const { stdout } = spawnSync(process.execPath, [...flags, '--import', preload, CLI, 'run'], {
      cwd: home,
      env: cleanEnvironment(home),
      encoding: 'utf8',
    });
    expect(stdout).toBe('hasCode true\n');
  });
});
