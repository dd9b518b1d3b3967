import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ROOT } from './page.js';

test('the package has its man page found after a global installation, which npm does for a list alone', () => {
  const directory = mkdtempSync(join(tmpdir(), 'edge-man-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  cpSync(join(ROOT, 'man'), join(directory, 'man'), { recursive: true });
  mkdirSync(join(directory, 'dist/cli'), { recursive: true });
  writeFileSync(join(directory, 'dist/cli/main.js'), '#!/usr/bin/env node\n');
  const { bin, man } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const alone = { name: 'man-alone', version: '1.0.0', bin, man };
  writeFileSync(join(directory, 'package.json'), JSON.stringify(alone));
  const npm = (...args: string[]) => execFileSync('npm', args, { cwd: directory, stdio: 'pipe' });
  npm('pack');
  npm('install', '--global', '--offline', '--prefix', join(directory, 'prefix'), './man-alone-1.0.0.tgz');
  expect(readdirSync(join(directory, 'prefix/share/man/man1'))).toEqual(['edge-agent.1']);
});
