import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { replaceFile } from '../../src/config/replaceFile.js';
import { temporaryDirectory } from '../support/temporaryStore.js';

test('a link stays a link, and the file that it leads to is replaced', () => {
  const directory = temporaryDirectory();
  mkdirSync(join(directory, 'dotfiles'));
  const [link, file] = [join(directory, 'config.yaml'), join(directory, 'dotfiles', 'config.yaml')];
  symlinkSync('dotfiles/config.yaml', link);
  for (const text of ['the first', 'the second']) {
    replaceFile(link, text);
    expect(readlinkSync(link)).toBe('dotfiles/config.yaml');
    expect(readFileSync(file, 'utf8')).toBe(text);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  }
  expect(readdirSync(directory).toSorted()).toEqual(['config.yaml', 'dotfiles']);
});

test('a link that leads to itself is replaced, as nothing can be behind it', () => {
  const path = join(temporaryDirectory(), 'config.yaml');
  symlinkSync('config.yaml', path);
  replaceFile(path, 'text');
  expect(lstatSync(path).isFile()).toBe(true);
});

test('the leftovers of an interrupted attempt do not block the next one', () => {
  const path = join(temporaryDirectory(), 'config.yaml');
  writeFileSync(`${path}.new`, 'half', { mode: 0o644 });
  replaceFile(path, 'text');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readFileSync(path, 'utf8')).toBe('text');
});
