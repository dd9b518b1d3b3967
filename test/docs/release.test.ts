import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../support/temporaryStore.js';
import { ROOT } from './page.js';

const SUMS = ['arm64', 'x64'].map(
  (one, index) => `${String(index).repeat(64)}  node-v22.1.0-darwin-${one}.tar.gz\n`,
);
const CHANGELOG =
  '# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A thing.\n\n## [0.1.0] - 2026-01-01\n\n- The first one.\n';

/** A package with our formula, in a repository of its own. */
class Checkout {
  readonly root = temporaryDirectory();

  constructor(changelog = CHANGELOG) {
    this.write(
      'package.json',
      JSON.stringify({ name: 'edge-agent', version: '0.1.0', scripts: { prepack: 'echo noise >&2' } }),
    );
    this.write('CHANGELOG.md', changelog);
    this.write('SHASUMS256.txt', SUMS.join(''));
    mkdirSync(join(this.root, 'packaging/homebrew'), { recursive: true });
    copyFileSync(
      join(ROOT, 'packaging/homebrew/edge-agent.rb'),
      join(this.root, 'packaging/homebrew/edge-agent.rb'),
    );
    this.write('.gitignore', 'release/\n');
    this.git('init', '-q');
    this.git('add', '-A');
    this.git('-c', 'user.name=a', '-c', 'user.email=a@example.com', 'commit', '-qm', 'all');
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.root, name), text);
  }

  read(name: string): string {
    return readFileSync(join(this.root, name), 'utf8');
  }

  git(...args: string[]): string {
    return execFileSync('git', args, { cwd: this.root, encoding: 'utf8' });
  }

  release(...args: string[]) {
    const known = ['--url', 'https://example.com/dl', '--node', '22.1.0', '--shasums', 'SHASUMS256.txt'];
    const script = join(ROOT, 'scripts/release.mjs');
    return spawnSync(process.execPath, [script, ...known, ...args], { cwd: this.root, encoding: 'utf8' });
  }
}

describe('a release', { concurrent: true }, () => {
  test('is the tarball, its checksum and the formula that names both, with version and changelog written', () => {
    const checkout = new Checkout();
    expect(checkout.release('0.2.0')).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('Nothing was published.'),
    });
    expect(readdirSync(join(checkout.root, 'release')).toSorted()).toEqual([
      'edge-agent-0.2.0.tgz',
      'edge-agent-0.2.0.tgz.sha256',
      'edge-agent.rb',
    ]);
    const tarball = readFileSync(join(checkout.root, 'release/edge-agent-0.2.0.tgz'));
    const sum = createHash('sha256').update(tarball).digest('hex');
    expect(checkout.read('release/edge-agent-0.2.0.tgz.sha256')).toBe(`${sum}  edge-agent-0.2.0.tgz\n`);
    const formula = checkout.read('release/edge-agent.rb');
    expect(formula).toContain('url "https://example.com/dl/edge-agent-0.2.0.tgz"');
    expect(formula).toContain(`sha256 "${sum}"`);
    expect(formula).toContain(`node-v22.1.0-darwin-arm64.tar.gz"\n      sha256 "${'0'.repeat(64)}"`);
    expect(formula).toContain(`node-v22.1.0-darwin-x64.tar.gz"\n      sha256 "${'1'.repeat(64)}"`);
    expect(formula).not.toMatch(/@[A-Z]/);
    expect(JSON.parse(checkout.read('package.json')).version).toBe('0.2.0');
    expect(checkout.read('CHANGELOG.md')).toMatch(
      /## \[Unreleased\]\n\n## \[0\.2\.0\] - \d{4}-\d\d-\d\d\n\n### Added\n\n- A thing\.\n\n## \[0\.1\.0\]/,
    );
    const inside = execFileSync('tar', ['-xzOf', '-', 'package/package.json'], {
      input: tarball,
      encoding: 'utf8',
    });
    expect(JSON.parse(inside).version).toBe('0.2.0');
  });

  test('with --dry-run makes the same, and leaves the checkout as it was', () => {
    const checkout = new Checkout();
    expect(checkout.release('0.2.0', '--dry-run')).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('dry run'),
    });
    expect(existsSync(join(checkout.root, 'release/edge-agent-0.2.0.tgz'))).toBe(true);
    expect(checkout.git('status', '--porcelain')).toBe('');
  });

  test.for([
    ['an older version', '0.0.9', undefined, /0\.0\.9 is older than 0\.1\.0/],
    ['no version', 'next', undefined, /say which version/],
    ['nothing that is new', '0.2.0', CHANGELOG.replace('- A thing.\n', ''), /has nothing below/],
    [
      'a version that the changelog has',
      '0.2.0',
      `${CHANGELOG}\n## [0.2.0] - 2026-02-02\n`,
      /has 0\.2\.0 already/,
    ],
  ] as const)('is refused for %s, and nothing is changed', ([, version, changelog, why]) => {
    const checkout = new Checkout(changelog);
    expect(checkout.release(version)).toMatchObject({ status: 1, stderr: expect.stringMatching(why) });
    expect(checkout.git('status', '--porcelain')).toBe('');
    expect(existsSync(join(checkout.root, 'release'))).toBe(false);
  });

  test('is refused for uncommitted changes, and for a Node whose checksums are not known', () => {
    const checkout = new Checkout();
    expect(checkout.release('0.2.0', '--node', '22.9.9')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('have no node-v22.9.9'),
    });
    expect(checkout.git('status', '--porcelain')).toBe('');
    checkout.write('CHANGELOG.md', `${CHANGELOG}\nmore\n`);
    expect(checkout.release('0.2.0')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('not committed'),
    });
  });

  test.skipIf(spawnSync('ruby', ['--version']).status !== 0)('has a formula that Ruby parses', () => {
    const path = join(ROOT, 'packaging/homebrew/edge-agent.rb');
    expect(execFileSync('ruby', ['-c', path], { encoding: 'utf8' })).toContain('Syntax OK');
  });
});
