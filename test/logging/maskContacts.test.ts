import { expect, test } from 'vitest';
import { maskContacts } from '../../src/logging/mask.js';

test.each([
  ['found "+4915112345678 jane@x.de", expected', 'found "+4•••5678 j•••@x.de", expected'],
  ['found "+49 151/1234-5678"', 'found "+4•••5678"'],
  ['found "0151 12345678"', 'found "0•••5678"'],
  ['found 13105550100', 'found 1•••0100'],
])('%s is masked', (text, masked) => {
  expect(maskContacts(text)).toBe(masked);
});

test.each([
  'config.yaml:12  link.port: found 99999, expected 1 to 65535',
  '2026-11-20T07:08:09.123Z',
  '10.0.0.1:8080',
])('%s stays', (text) => {
  expect(maskContacts(text)).toBe(text);
});
