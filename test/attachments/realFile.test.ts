import { execFileSync } from 'node:child_process';
import { existsSync, linkSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readRealFile } from '../../src/attachments/readRealFile.js';
import { temporaryDirectory } from '../support/temporaryStore.js';

function room() {
  const directory = realpathSync(temporaryDirectory());
  const root = join(directory, 'open');
  mkdirSync(join(root, 'deep'), { recursive: true });
  writeFileSync(join(directory, 'secret'), 'secret');
  writeFileSync(join(root, 'deep', 'menu.pdf'), 'menu');
  return { directory, root };
}

test('a regular file below the root is read, though the root itself be a link', async () => {
  const { directory, root } = room();
  expect(await readRealFile(join(root, 'deep/menu.pdf'), [root], 100)).toMatchObject({ kind: 'read' });
  symlinkSync(root, join(directory, 'link'));
  const read = await readRealFile(join(directory, 'link/deep/menu.pdf'), [join(directory, 'link/')], 100);
  expect(read).toEqual({ kind: 'read', bytes: Buffer.from('menu') });
});

test.each(['../secret', 'deep/../../secret', './deep/menu.pdf', 'deep//menu.pdf', ''])(
  'a path that is not plain is refused: "%s"',
  async (below) => {
    const { root } = room();
    expect(await readRealFile(`${root}/${below}`, [root], 100)).toMatchObject({ kind: 'refused' });
  },
);

test('neither a relative path, nor one beside a root of the same beginning, nor anything without a root', async () => {
  const { root } = room();
  mkdirSync(`${root}-not`);
  writeFileSync(`${root}-not/x`, 'x');
  for (const [path, roots] of [
    ['menu.pdf', [root]],
    [`${root}-not/x`, [root]],
    [`${root}/deep/menu.pdf`, []],
    [`${root}/deep/menu.pdf\0`, [root]],
  ] as const) {
    expect(await readRealFile(path, roots, 100)).toMatchObject({ kind: 'refused' });
  }
});

test('neither a link nor a file behind one is read', async () => {
  const { directory, root } = room();
  symlinkSync(join(directory, 'secret'), join(root, 'link'));
  symlinkSync(directory, join(root, 'out'));
  symlinkSync(join(root, 'deep'), join(root, 'in'));
  for (const name of ['link', 'out/secret', 'in/menu.pdf']) {
    expect(await readRealFile(join(root, name), [root], 100)).toEqual({
      kind: 'refused',
      why: 'it is, or lies behind, a link',
    });
  }
});

test('a name whose letters are composed otherwise on the disk is no link', async () => {
  const { root } = room();
  const written = 'Café.pdf'.normalize('NFC');
  const onDisk = written.normalize('NFD');
  writeFileSync(join(root, onDisk), 'menu');
  const path = join(root, written);
  // A Mac's disk finds it by either name; on another a link plays it.
  if (!existsSync(path)) symlinkSync(join(root, onDisk), path);
  expect(await readRealFile(path, [root], 100)).toEqual({ kind: 'read', bytes: Buffer.from('menu') });
});

test('neither a directory nor a pipe is read, and no pipe is waited for', async () => {
  const { root } = room();
  execFileSync('mkfifo', [join(root, 'pipe')]);
  expect(await readRealFile(join(root, 'deep'), [root], 100)).toMatchObject({
    why: 'it is not a regular file',
  });
  expect(await readRealFile(join(root, 'pipe'), [root], 100)).toMatchObject({
    why: 'it is not a regular file',
  });
});

test('one that is too large is refused, one that is not there is missing', async () => {
  const { root } = room();
  expect(await readRealFile(join(root, 'deep/menu.pdf'), [root], 3)).toMatchObject({
    why: 'it has 4 bytes; the limit is 3',
  });
  expect(await readRealFile(join(root, 'deep/none'), [root], 3)).toEqual({ kind: 'missing' });
  linkSync(join(root, 'deep/menu.pdf'), join(root, 'again'));
  expect(await readRealFile(join(root, 'again'), [root], 4)).toMatchObject({ kind: 'read' });
});
