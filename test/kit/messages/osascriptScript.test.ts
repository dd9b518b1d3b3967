import { expect, test } from 'vitest';
import { readScript } from '../../../src/kit/messages/osascriptScript.js';
import { DISPATCH_MARKER, SCRIPTS } from '../../../src/messages/applescript/scripts.js';

test.each([
  ['chat-text', 'chat', null],
  ['chat-file', 'chat', 5],
  ['participant-text', 'participant', null],
  ['participant-file', 'participant', 5],
  ['sms-text', 'sms', null],
  ['sms-file', 'sms', 5],
] as const)('the agent’s script %s is understood', (name, form, fileArgument) => {
  expect(readScript(SCRIPTS[name])).toEqual({ form, fileArgument, marker: DISPATCH_MARKER });
});

test('a script whose blocks are not closed would not run', () => {
  expect(readScript(SCRIPTS['chat-text'].replace('end timeout\n', ''))).toBeNull();
  expect(readScript(SCRIPTS['chat-text'].replace('end tell', 'end if'))).toBeNull();
});

test('a script that does not send, or not to the second argument, would not do', () => {
  expect(readScript('')).toBeNull();
  expect(readScript(SCRIPTS['chat-text'].replace('send theContent', 'get theContent'))).toBeNull();
  expect(readScript(SCRIPTS['chat-text'].replace('item 2 of argv', 'item 1 of argv'))).toBeNull();
});

test('only what is logged right before the send counts as its marker', () => {
  const early = SCRIPTS['chat-text']
    .replace(/\t\tlog "[^"]*"\n/, '')
    .replace('argv\n', 'argv\nlog "early"\n');
  expect(readScript(early)).toMatchObject({ marker: null });
});
