import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { arrivedImage } from '../../src/attachments/arrivedImage.js';
import { readHandedOver } from '../../src/attachments/handedOver.js';
import { readRealFile } from '../../src/attachments/readRealFile.js';
import { temporaryDirectory } from '../support/temporaryStore.js';

/** Gives the file another name, which is returned. */
function named(file: string, as: string): string {
  linkSync(file, as);
  return as;
}

const chatDbFile = (path: string) => ({
  path,
  name: 'a.png',
  mimeType: 'image/png',
  sizeBytes: 6,
  transferState: 5,
});

function room() {
  const directory = realpathSync(temporaryDirectory());
  const root = join(directory, 'open');
  mkdirSync(join(root, 'deep'), { recursive: true });
  writeFileSync(join(directory, 'secret'), 'secret');
  writeFileSync(join(root, 'deep', 'menu.pdf'), 'menu');
  return { directory, root };
}

test('a regular file below the root is read, even if the root is a link', async () => {
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

test('a relative path, a path beside a root with the same prefix, and any path without a root are refused', async () => {
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
      why: 'it is a link, or reached through one',
    });
  }
});

test('a name that the disk stores in another Unicode form is not taken for a link', async () => {
  const { root } = room();
  const written = 'Café.pdf'.normalize('NFC');
  const onDisk = written.normalize('NFD');
  writeFileSync(join(root, onDisk), 'menu');
  const path = join(root, written);
  // A Mac's disk finds it by either name; on another a link plays it.
  if (!existsSync(path)) symlinkSync(join(root, onDisk), path);
  expect(await readRealFile(path, [root], 100)).toEqual({ kind: 'read', bytes: Buffer.from('menu') });
});

test('neither a directory nor a pipe is read, and a pipe does not block', async () => {
  const { root } = room();
  execFileSync('mkfifo', [join(root, 'pipe')]);
  expect(await readRealFile(join(root, 'deep'), [root], 100)).toMatchObject({
    why: 'it is not a regular file',
  });
  expect(await readRealFile(join(root, 'pipe'), [root], 100)).toMatchObject({
    why: 'it is not a regular file',
  });
});

test('a file that is too large is refused, one that does not exist is missing', async () => {
  const { root } = room();
  expect(await readRealFile(join(root, 'deep/menu.pdf'), [root], 3)).toMatchObject({
    why: 'it has 4 bytes; the limit is 3',
  });
  expect(await readRealFile(join(root, 'deep/none'), [root], 3)).toEqual({ kind: 'missing' });
});

describe('a hard link is refused, as its file may be outside the root', () => {
  test.each<[string, (directory: string, root: string) => string]>([
    ['to a file beside the root', (directory, root) => named(join(directory, 'secret'), join(root, 'a.pdf'))],
    ['in a directory below', (directory, root) => named(join(directory, 'secret'), join(root, 'deep/b.pdf'))],
    ['to a file within the root', (_, root) => named(join(root, 'deep/menu.pdf'), join(root, 'again.pdf'))],
    [
      'of three',
      (directory, root) => {
        named(join(directory, 'secret'), join(directory, 'more'));
        return named(join(directory, 'secret'), join(root, 'c.pdf'));
      },
    ],
  ])('%s', async (_, make) => {
    const { directory, root } = room();
    const path = make(directory, root);
    expect(await readRealFile(path, [root], 100)).toMatchObject({
      kind: 'refused',
      why: expect.stringContaining('hard links'),
    });
    expect(
      await arrivedImage(chatDbFile(path), { attachmentsPath: root, home: '/', maxBytes: 100 }),
    ).toMatchObject({
      kind: 'refused',
    });
  });

  test('and is read once its other name is deleted', async () => {
    const { directory, root } = room();
    const path = named(join(directory, 'secret'), join(root, 'moved.pdf'));
    rmSync(join(directory, 'secret'));
    expect(await readRealFile(path, [root], 100)).toMatchObject({ kind: 'read' });
  });

  test("in the directory of the operator's command too", () => {
    const { directory } = room();
    const path = named(join(directory, 'secret'), join(directory, 'handed'));
    expect(readHandedOver(path, 100)).toEqual({ fault: expect.stringContaining('hard links') });
  });
});

test('neither a socket nor a device is read', async () => {
  const { root } = room();
  const server = createServer().listen(join(root, 'socket'));
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  expect(await readRealFile(join(root, 'socket'), [root], 100)).toMatchObject({
    why: 'it is not a regular file',
  });
  expect(await readRealFile('/dev/zero', ['/dev'], 100)).toMatchObject({ why: 'it is not a regular file' });
});

test('a sparse file of a terabyte is refused by its size', async () => {
  const { root } = room();
  truncateSync(join(root, 'deep/menu.pdf'), 2 ** 40);
  expect(await readRealFile(join(root, 'deep/menu.pdf'), [root], 1024)).toMatchObject({
    kind: 'refused',
    why: `it has ${2 ** 40} bytes; the limit is 1024`,
  });
});

test('a file that is written or swapped for a link while it is read is never a mixture of both', async () => {
  const { directory, root } = room();
  const path = join(root, 'deep/menu.pdf');
  const aside = join(root, 'deep/aside');
  const size = 256 * 1024;
  const kinds = new Set<string>();
  writeFileSync(join(directory, 'secret'), Buffer.alloc(size, 's'));
  for (let round = 0; round < 60; round++) {
    rmSync(path, { force: true });
    writeFileSync(path, Buffer.alloc(size, 'a'));
    const reading = readRealFile(path, [root], size);
    for (let step = 0; step <= round % 6; step++) await new Promise((resolve) => setImmediate(resolve));
    if (round % 3 === 0) writeFileSync(path, Buffer.alloc(size, 'b'));
    else if (round % 3 === 1) {
      renameSync(path, aside);
      symlinkSync(join(directory, 'secret'), path);
    } else appendFileSync(path, 'b');
    const read = await reading;
    kinds.add(read.kind);
    if (read.kind !== 'read') continue;
    expect(new Set(read.bytes.subarray(0, size)).size).toBe(1);
    expect(read.bytes.includes('s')).toBe(false);
  }
  expect(kinds).toContain('read');
});
