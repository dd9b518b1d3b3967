import { expect, test } from 'vitest';
import { writtenTo } from '../../../src/messages/chatdb/ownership.js';

const OURS = new Set(['+13105550100', '+447967960994', 'me@example.com']);

test.each([
  ['the address that it was sent to', 'iMessage', '+13105550100', 'E:me@example.com', '+13105550100'],
  ['the second own number, without its plus', 'iMessage', '447967960994', 'P:+13105550100', '+447967960994'],
  ['an unknown alias', 'iMessage', 'Alias@Example.com', 'E:me@example.com', 'alias@example.com'],
  ['the account, where nothing else is given', 'iMessage', null, 'E:me@example.com', 'me@example.com'],
  [
    'the account, where the other value is no address',
    'iMessage',
    'unknown',
    'p:+1 310 555 0100',
    '+13105550100',
  ],
  ['nothing, where neither is given', 'iMessage', '', 'E:', null],
  ['nothing, where both are other things', 'iMessage', 'me', 'iMessage', null],
  ['by SMS an own address', 'SMS', '+13105550100', 'P:+13105550100', '+13105550100'],
  ['by SMS not the number of the phone that relays it', 'SMS', '+13105559999', 'P:+13105559999', null],
  [
    'by RCS the account, if that is an own address and the number is not',
    'RCS',
    '+13105559999',
    'E:me@example.com',
    'me@example.com',
  ],
  ['by an unknown service only an own address', null, '+13105559999', null, null],
])('to: %s', (_what, service, ownAddress, account, expected) => {
  expect(writtenTo({ service, ownAddress, account }, OURS, 'US')).toBe(expected);
});
