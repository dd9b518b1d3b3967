import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type MachO, readMachO } from '../../src/system/machO.js';
import { CPU, FLAGS, fatMachO, NODEJS_ORG, SYSTEM_LIBRARIES, thinMachO } from '../support/buildMachO.js';
import { temporaryDirectory } from '../support/temporaryStore.js';

function read(bytes: Uint8Array): MachO {
  const path = join(temporaryDirectory(), 'program');
  writeFileSync(path, bytes);
  return readMachO(path);
}

const slice = (found: MachO, index = 0) => (found.kind === 'machO' ? found.slices[index] : undefined);

describe('what macOS checks', () => {
  test('is read of a program for one processor', () => {
    expect(read(thinMachO())).toEqual({
      kind: 'machO',
      slices: [
        {
          architecture: 'arm64',
          minimumMacOs: '13.5',
          libraries: SYSTEM_LIBRARIES,
          signature: {
            kind: 'signed',
            identifier: 'node',
            team: 'HX7739G8FX',
            hardened: true,
            entitlements: NODEJS_ORG.entitlements,
          },
        },
      ],
    });
  });

  test.for([false, true])('is read of each program of a universal file (of 64 bits: %s)', (is64) => {
    const [arm, intel] = [thinMachO(), thinMachO({ cpu: CPU.x64, signature: null })];
    const found = read(fatMachO([arm, intel], is64));
    expect(
      found.kind === 'machO' && found.slices.map((one) => [one.architecture, one.signature.kind]),
    ).toEqual([
      ['arm64', 'signed'],
      ['x64', 'none'],
    ]);
  });

  test('is not looked for in the parts of a universal file that no Mac of today runs', () => {
    const old = Buffer.alloc(64);
    old.writeUInt32BE(0xfeedface, 0);
    expect(slice(read(fatMachO([old, thinMachO()])), 1)?.architecture).toBe('arm64');
  });

  test('is the oldest macOS in its older form too, with the third number where it counts', () => {
    const minimum = (macOs: readonly [number, number, number], isOldForm?: boolean) =>
      slice(read(thinMachO({ minimum: { macOs, isOldForm: isOldForm === true } })))?.minimumMacOs;
    expect([minimum([10, 15, 0], true), minimum([11, 0, 0]), minimum([13, 5, 2])]).toEqual([
      '10.15',
      '11.0',
      '13.5.2',
    ]);
    expect(slice(read(thinMachO({ minimum: null })))?.minimumMacOs).toBeNull();
  });

  test.for([
    ['by the linker', { flags: FLAGS.adHoc | FLAGS.linkerSigned }, 'adHoc', false],
    ['ad hoc, under the hardened runtime', { flags: FLAGS.adHoc | FLAGS.hardened }, 'adHoc', true],
    ['with an empty certificate and without the flag', { flags: 0 }, 'adHoc', false],
    ['by a certificate of one’s own', { flags: 0, hasCertificate: true }, 'signed', false],
  ] as const)('is how it is signed: %s', ([, signature, kind, hardened]) => {
    expect(slice(read(thinMachO({ signature })))?.signature).toMatchObject({ kind, hardened, team: null });
  });

  test('is not an entitlement that is there and not granted', () => {
    expect(JSON.stringify(read(thinMachO()))).not.toContain('not.granted');
  });
});

describe('a file that is no such program', () => {
  test.for([
    ['empty', Buffer.alloc(0)],
    ['a script', Buffer.from(`#!/bin/sh\nexec node "$@"\n${'#'.repeat(40)}`)],
    [
      'a class file of Java, which begins as a universal one',
      Buffer.from(`cafebabe00000034${'00'.repeat(40)}`, 'hex'),
    ],
    ['a program of 32 bits', Buffer.from(`cefaedfe${'00'.repeat(40)}`, 'hex')],
    ['a program for PowerPC', Buffer.from(`feedfacf${'00'.repeat(40)}`, 'hex')],
  ] as const)('is reported as that: %s', ([, bytes]) => {
    expect(read(bytes)).toEqual({ kind: 'other' });
  });

  test('is distinguished from one that cannot be read, and a pipe does not block', () => {
    const directory = temporaryDirectory();
    expect(readMachO(join(directory, 'missing'))).toMatchObject({
      kind: 'unreadable',
      why: expect.stringContaining('ENOENT'),
    });
    mkdirSync(join(directory, 'folder'));
    expect(readMachO(join(directory, 'folder')).kind).toBe('other');
    execFileSync('mkfifo', [join(directory, 'pipe')]);
    expect(readMachO(join(directory, 'pipe'))).toEqual({ kind: 'other' });
  });
});

describe('a damaged program', () => {
  const whole = [
    thinMachO(),
    thinMachO({ signature: { team: null } }),
    fatMachO([thinMachO(), thinMachO({ cpu: CPU.x64 })]),
    fatMachO([thinMachO()], true),
  ];

  test.for(whole.map((bytes, index) => [index, bytes] as const))(
    'is recognised wherever it ends too early (%s)',
    ([, bytes]) => {
      // Of the certificate only the head is read.
      for (let length = 32; length < bytes.length - 64; length += 1)
        expect(read(bytes.subarray(0, length)), `${length} bytes`).toMatchObject({ kind: 'damaged' });
    },
  );

  test('ends no reading, whatever bytes are changed, and is never read beyond its end', () => {
    const change = fc.record({ at: fc.nat(1023), to: fc.constantFrom(0, 1, 4, 0x7f, 0x80, 0xff) });
    fc.assert(
      fc.property(
        fc.constantFrom(...whole),
        fc.array(change, { minLength: 1, maxLength: 12 }),
        (original, changes) => {
          const bytes = Buffer.from(original);
          for (const { at, to } of changes) bytes[at % bytes.length] = to;
          const found = read(bytes);
          expect(['machO', 'other', 'damaged']).toContain(found.kind);
          expect(JSON.stringify(found).length).toBeLessThan(20 * bytes.length);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test('takes no more memory for what it declares than it has', () => {
    const bytes = thinMachO();
    const signature = bytes.indexOf(Buffer.from('fade0cc0', 'hex'));
    for (const at of [16, 20, signature + 8]) {
      const claim = Buffer.from(bytes);
      claim.writeUInt32BE(0xffffffff, at);
      expect(read(claim)).toMatchObject({ kind: 'damaged' });
    }
  });
});
