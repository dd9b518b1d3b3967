import { expect, test } from 'vitest';
import { entryLine, perhapsSame, sameConversation, watchWish } from '../../../src/cli/inspect/watchEntry.js';
import { watchWords } from '../../../src/cli/inspect/watchWords.js';
import { printable } from '../../../src/cli/terminal.js';

const at = '2026-01-01T00:00:00.000Z';

test('a conversation is recognised in every spelling of its number, and no other is', () => {
  for (const typed of ['+13105551234', '+1 (310) 555-1234', 'iMessage;-;+13105551234']) {
    expect(sameConversation('+13105551234', typed)).toBe(true);
  }
  expect(sameConversation('ann@example.com', 'Ann@Example.com')).toBe(true);
  expect(sameConversation('+13105551234', '+13105551235')).toBe(false);
  expect(sameConversation('+13105551234', '1234')).toBe(false);
});

test('a masked conversation is compared by its masked form alone', () => {
  expect(perhapsSame('+1•••1234', '+1 310 555 1234')).toBe(true);
  expect(perhapsSame('+1•••1234', '+13105559999')).toBe(false);
});

test('without a filter everything but the log is requested, and an unknown type is reported', () => {
  expect(watchWish({})).toMatchObject({
    topics: ['commands', 'sends', 'link', 'queues', 'schedule', 'pauses', 'problems'],
    texts: false,
  });
  expect(watchWish({ type: 'message, log' })).toMatchObject({ topics: ['logs'] });
  expect(watchWish({ type: 'message,news' })).toEqual({ fault: '--type: "news" is not a type of event.' });
  expect(watchWish({ conversation: '' })).toHaveProperty('fault');
});

test('an event is one line, whatever it contains', () => {
  const told = watchWords({
    topic: 'logs',
    at,
    level: 'warn',
    message: 'first\nsecond',
    fields: { code: 7 },
  });
  const line = entryLine({ ...told, at: Date.parse(at), record: {} }, { colour: false });
  expect(line).toMatch(/^\d\d:\d\d:\d\d log {10}warn: first second code=7$/);
});

test('text from others cannot move the cursor, set a title or reverse the line', () => {
  const words = 'a\u001b[31mRED\u001b]0;pwned\u0007 \u009b2J\u0000\u007f\u202eevil\u2066 \t\u2028end 👩‍👩‍👧';
  const line = entryLine({ type: 'message', at: 0, words, record: {} }, { colour: false });
  expect(line).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069\u2028]/u);
  expect(line).toContain('RED');
  expect(line).toContain('end 👩‍👩‍👧');
});

test('colours are there only where requested', () => {
  const told = watchWords({ topic: 'link', at, state: 'offline', detail: 'waiting' });
  const entry = { ...told, at: Date.parse(at), record: {} };
  const shown = (colour: boolean) => printable(entryLine(entry, { colour }), { colour, unicode: true });
  expect(shown(true)).toContain('\u001b[31moffline (waiting)');
  expect(shown(false)).not.toContain('\u001b');
});
