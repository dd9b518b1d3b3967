import { expect, test } from 'vitest';
import { writtenTo } from '../../../src/messages/chatdb/ownership.js';

const OURS = new Set(['+13105550100', '+447967960994', 'me@example.com']);

test.each([
  ['the address that it was sent to', 'iMessage', '+13105550100', 'E:me@example.com', '+13105550100'],
  [
    'the second of our numbers, without its plus',
    'iMessage',
    '447967960994',
    'P:+13105550100',
    '+447967960994',
  ],
  ['an alias that nobody told us', 'iMessage', 'Alias@Example.com', 'E:me@example.com', 'alias@example.com'],
  ['the account, where nothing else stands', 'iMessage', null, 'E:me@example.com', 'me@example.com'],
  [
    'the account, where what stands there is no address',
    'iMessage',
    'unknown',
    'p:+1 310 555 0100',
    '+13105550100',
  ],
  ['nothing, where neither tells', 'iMessage', '', 'E:', null],
  ['nothing, where both are other things', 'iMessage', 'me', 'iMessage', null],
  ['by SMS an address that is ours', 'SMS', '+13105550100', 'P:+13105550100', '+13105550100'],
  ['by SMS not the number of the phone that relays it', 'SMS', '+13105559999', 'P:+13105559999', null],
  [
    'by RCS the account, if that is ours and the number is not',
    'RCS',
    '+13105559999',
    'E:me@example.com',
    'me@example.com',
  ],
  ['by nothing that is known only what is ours', null, '+13105559999', null, null],
])('to: %s', (_what, service, ownAddress, account, expected) => {
  expect(writtenTo({ service, ownAddress, account }, OURS, 'US')).toBe(expected);
});
