import { describe, expect, test } from 'vitest';
import { Pseudonyms } from '../../src/transcript/Pseudonyms.js';
import { examplesIn, page } from '../docs/page.js';

describe('what is written down', () => {
  test('of every frame and request of the protocol holds nothing that is somebody’s', () => {
    const names = new Pseudonyms();
    const all = examplesIn(page('docs/protocol.md')).map(({ json }) =>
      JSON.stringify(names.redact(JSON.parse(json))),
    );
    expect(all.length).toBeGreaterThan(30);
    const theirs = [
      '1310555',
      'example.com/',
      'user@',
      'someone@',
      'Mac mini',
      'okie',
      'birthday',
      'IMG_0001',
      'menu',
    ];
    for (const word of [
      ...theirs,
      'registration token',
      'room_7',
      'tic-tac',
      'game over',
      'Full Disk',
      'aGVsbG8K',
    ]) {
      expect(
        all.filter((text) => text.includes(word)),
        word,
      ).toEqual([]);
    }
  });

  test('still says what happened', () => {
    const frame = {
      type: 'command',
      data: {
        command_id: 'cmd_1',
        command_type: 'send_message_now',
        payload: { thread_id: 'iMessage;-;+13105551234', text: 'hi', bubble_type: 'reflex' },
        timestamp: '2026-11-20T08:00:00Z',
      },
    };
    expect(new Pseudonyms().redact(frame)).toEqual({
      ...frame,
      data: {
        ...frame.data,
        payload: { thread_id: 'iMessage;-;+12015550101', text: 'text_1_of_2', bubble_type: 'reflex' },
      },
    });
  });

  test('has one name for one person and one text, in whichever form they come', () => {
    const names = new Pseudonyms();
    const person = (handle: string) => names.redact(handle, 'thread_id');
    expect(person('+13105551234')).toBe('+12015550101');
    expect(person('SMS;-;+13105551234')).toBe('SMS;-;+12015550101');
    expect(person('User@Example.com')).toBe(person('user@example.com'));
    expect(names.redact('edge_13105551234', 'edge_agent_id')).toBe('edge_12015550101');
    expect(person('chat831045551234')).toMatch(/^chat\d{6}$/);
    expect(names.redact('one  sec ', 'text')).toMatch(/^text_1_of_9$/);
    expect(names.redact('one sec', 'filtered_text')).toBe('text_1_of_9');
  });

  test('keeps the code of an error and no number in an id, a field name or free-form data', () => {
    const names = new Pseudonyms();
    names.redact('+13105551234', 'sender');
    expect(names.redact({ error: 'too_late: you wrote at noon' })).toEqual({
      error: 'too_late: text_1_of_17',
    });
    expect(names.redact('cmd_13105551234', 'command_id')).toBe('cmd_12015550101');
    expect(names.redact({ '+13105551234': true, 'Jane Doe': 3105551234 })).toEqual({ key_1: true, key_2: 0 });
    expect(names.redact({ auth_token: 'abc', EDGE_SECRET: 'x' })).toEqual({
      auth_token: '[secret]',
      EDGE_SECRET: '[secret]',
    });
  });
});
