import { expect, test } from 'vitest';
import { parseReply } from '../../src/incoming/reply.js';

const bubblesOf = (body: unknown) => {
  const parsed = parseReply(body);
  return parsed.kind === 'reply' ? parsed.reply.bubbles : parsed.kind;
};

test.each([
  [{ should_respond: true, reply_text: 'a' }, ['a']],
  [{ should_respond: true, reply_bubbles: ['a', 'b'] }, ['a', 'b']],
  [
    { should_respond: true, reflex_message: 'r', burst_messages: ['a', 'b'], burst_delay_ms: 500 },
    ['r', 'a', 'b'],
  ],
  [{ reflex_message: 'r' }, ['r']],
  [{ burst_messages: ['a'] }, ['a']],
  [{ should_respond: true, reply_text: 'a', reply_bubbles: ['a', 'b'] }, ['a', 'b']],
  [{ should_respond: false, reply_text: 'a' }, []],
  [{ should_respond: true, reply_bubbles: ['a', ' ', ''] }, ['a']],
  [{ should_respond: true, reply_text: null }, []],
  [{ should_respond: true, reply_bubbles: [] }, []],
  [{ reply_bubbles: null }, []],
  [{ reply_text: '' }, []],
  [{ should_respond: false, error: null }, []],
  [{ should_respond: false, success: true }, []],
  [{ reply_text: 'a', error: 'partly' }, ['a']],
  [{ should_respond: true, reply_bubbles: ['a', '', null, 5, 'b'] }, ['a', 'b']],
  [{ should_respond: 'true', reply_text: 'a' }, ['a']],
  [{ should_respond: 'false', reply_text: 'a' }, []],
  [{ reflex_message: 'r', burst_messages: 'single', burst_delay_ms: -5 }, ['r', 'single']],
  [{ reply_text: 5, reply_bubbles: ['a'] }, ['a']],
  [{ reply_text: '\0' }, []],
])('the reply %j means the bubbles %j', (body, bubbles) => {
  expect(bubblesOf(body)).toEqual(bubbles);
});

test.each([
  [null],
  ['ok'],
  [5],
  [true],
  [[]],
  [['a']],
  [{}],
  [{ ok: true }],
  [{ status: 'ok' }],
  [{ success: true, message: 'queued' }],
  [{ success: false, error: 'x' }],
  [{ error: 'x' }],
  [{ error: { code: 500 } }],
  [{ errors: [{ message: 'x' }], data: null }],
  [{ detail: 'Not Found' }],
  [{ should_respond: true }],
  [{ should_respond: null }],
  [{ should_respond: false, error: 'the model is down' }],
  [{ should_respond: false, success: false }],
  [{ should_respond: true, reply_text: '', error: 'x' }],
  [{ burst_delay_ms: 5 }],
  [{ data: { reply_text: 'a' } }],
  [{ reply_text: 5 }],
  [{ reply_bubbles: [1] }],
])('the reply %j is not taken for "no reply"', (body) => {
  expect(bubblesOf(body)).toBe('invalid');
});

test('a delay between bursts is kept within a minute', () => {
  const parsed = parseReply({ reflex_message: 'r', burst_messages: ['a'], burst_delay_ms: 10 ** 9 });
  expect(parsed).toMatchObject({ reply: { delayMs: 60_000 } });
});
