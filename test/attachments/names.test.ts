import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { imageType, nameOfType, safeName } from '../../src/attachments/contentTypes.js';
import { isPublicAddress } from '../../src/system/publicAddresses.js';
import { anyText } from '../support/anyText.js';

describe('the name of a file', () => {
  test.each([
    ['menu.pdf', 'menu.pdf'],
    ['Übersicht – März 👍.pdf', 'Übersicht – März 👍.pdf'],
    ['../../etc/passwd', 'passwd'],
    ['C:\\Users\\x\\photo.jpg', 'photo.jpg'],
    ['.hidden', 'hidden'],
    ['..', 'attachment'],
    ['', 'attachment'],
    ['a:b', 'ab'],
    ['invoice\u202egpj.exe', 'invoicegpj.exe'],
    ['line\nbreak\0.txt', 'linebreak.txt'],
    ['dots... ', 'dots'],
    ['-rf', '-rf'],
  ])('%j becomes %j', (given, name) => {
    expect(safeName(given)).toBe(name);
  });

  test('keeps its extension when it is cut to what a file system allows', () => {
    const name = safeName(`${'漢'.repeat(300)}.jpeg`);
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(180);
    expect(name).toMatch(/^漢+\.jpeg$/);
  });

  test('is always one element of a path, whatever the input', () => {
    fc.assert(
      fc.property(anyText({ maxLength: 400 }), (given) => {
        const name = safeName(given);
        expect(name).not.toMatch(/^\.|[/\\:\0\n\r]/);
        expect(name).not.toBe('');
        expect(Buffer.byteLength(name)).toBeLessThanOrEqual(180);
        expect(safeName(name)).toBe(name);
      }),
    );
  });
});

describe('the extension of a name', () => {
  test.each([
    ['notes.md', 'text/plain', 'notes.md'],
    ['notes.py', 'text/plain', 'notes.py.txt'],
    ['clip.MOV', 'video/quicktime', 'clip.MOV'],
    ['photo.heif', 'image/heic', 'photo.heif'],
    ['report', 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', 'report.xlsx'],
    ['pass.pkpass', 'application/vnd.apple.pkpass', 'pass.pkpass'],
  ])('%s of %s: %s', (name, type, expected) => expect(nameOfType(name, type)).toBe(expected));

  test.each([
    ['a.JPEG', 'image/jpeg'],
    ['a.tif', 'image/tiff'],
    ['a.heic', 'image/heic'],
    ['a', 'application/octet-stream'],
  ])('of %s means the type %s', (name, type) => expect(imageType(null, name)).toBe(type));
});

describe('an address of the public internet', () => {
  test.each([
    '1.1.1.1',
    '8.8.8.8',
    '172.15.0.1',
    '172.32.0.1',
    '100.63.0.1',
    '100.128.0.1',
    '2606:4700::1111',
    '2a00:1450::1',
  ])('%s is one', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });

  test.each([
    ...['127.0.0.1', '127.255.255.254', '0.0.0.0', '10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.1.1'],
    ...['169.254.169.254', '100.64.0.1', '100.127.255.255', '198.18.0.1', '224.0.0.1', '255.255.255.255'],
    ...[
      '::1',
      '::',
      'fe80::1',
      'fe80::1%en0',
      'fc00::1',
      'fd12::1',
      'ff02::1',
      '2001:db8::1',
      '2001::1',
      '2002:7f00:1::',
    ],
    ...[
      '::ffff:127.0.0.1',
      '::ffff:8.8.8.8',
      '64:ff9b::7f00:1',
      '::127.0.0.1',
      'localhost',
      'example.com',
      '',
    ],
  ])('%s is not one', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  test('is judged correctly for every IPv4 address', () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        expect(isIP(address)).toBe(4);
        const [a = 0, b = 0] = address.split('.').map(Number);
        const isOurs =
          a === 10 ||
          a === 127 ||
          a === 0 ||
          a >= 224 ||
          (a === 192 && b === 168) ||
          (a === 169 && b === 254);
        if (isOurs || (a === 172 && b >= 16 && b < 32) || (a === 100 && b >= 64 && b < 128)) {
          expect(isPublicAddress(address)).toBe(false);
        }
      }),
    );
  });
});
