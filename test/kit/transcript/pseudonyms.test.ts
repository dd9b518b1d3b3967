import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Pseudonyms } from '../../../src/kit/transcript/Pseudonyms.js';
import { EXCHANGES, FRAMES } from '../../../src/kit/transcript/places.js';
import { examplesIn, page } from '../../docs/page.js';
import { sized } from '../../support/size.js';

const NOW = Date.parse('2026-11-20T08:00:00Z');
const fresh = () => new Pseudonyms(NOW);
const EXAMPLES = examplesIn(page('docs/protocol.md')).map(({ json }): unknown => JSON.parse(json));

const command = (parts: object) => ({
  type: 'command',
  data: { command_id: 'cmd_1', command_type: 'send_message_now', ...parts },
});

describe('a recording', () => {
  test('of every frame and request of the protocol contains nothing personal', () => {
    const names = fresh();
    const sides = ['request', 'answer'] as const;
    const all = EXAMPLES.flatMap((json) => [
      names.frame(json),
      ...[...EXCHANGES.keys(), '/elsewhere'].flatMap((path) =>
        sides.map((side) => names.body(path, side, json)),
      ),
    ]).map((one) => JSON.stringify(one));
    expect(EXAMPLES.length).toBeGreaterThan(30);
    const theirs = [
      ...['1310555', 'example.com/', 'user@', 'someone@', 'Mac mini', 'okie', 'birthday', 'IMG_0001', 'menu'],
      ...['registration token', 'room_7', 'tic-tac', 'game over', 'Full Disk', 'aGVsbG8K', 'checkpoint'],
    ];
    for (const word of theirs) {
      expect(
        all.filter((text) => text.includes(word)),
        word,
      ).toEqual([]);
    }
  });

  test('still says what happened', () => {
    const frame = command({
      payload: { thread_id: 'iMessage;-;+13105551234', text: 'hi', bubble_type: 'reflex' },
      timestamp: '2026-11-20T08:00:00Z',
    });
    expect(fresh().frame(frame)).toEqual({
      ...frame,
      data: {
        ...frame.data,
        payload: { thread_id: 'iMessage;-;+12015550101', text: 'text_1_of_2', bubble_type: 'reflex' },
      },
    });
  });

  test('has the keys of every documented frame, except arbitrary ones', () => {
    const frames = EXAMPLES.filter((json) => FRAMES.has(Object(json).type));
    const told = frames.filter((json) => Object(json).type !== 'config_update');
    expect(told.length).toBeGreaterThan(10);
    for (const json of told) {
      const redacted = JSON.stringify(fresh().frame(json)).match(/"key_\d+":/g) ?? [];
      const details = Object(Object(json).data).details ?? Object(Object(json).data).incoming_left_out ?? {};
      expect(redacted.length, JSON.stringify(json)).toBe(Object.keys(details).length);
    }
  });

  test('has one name for one person and one text, in whichever form they come', () => {
    const names = fresh();
    const person = (handle: string) =>
      Object(names.body('/edge/message', 'request', { thread_id: handle })).thread_id;
    expect(person('+13105551234')).toBe('+12015550101');
    expect(person('SMS;-;+13105551234')).toBe('SMS;-;+12015550101');
    expect(person('User@Example.com')).toBe(person('user@example.com'));
    expect(names.body('/edge/sync', 'request', { edge_agent_id: 'edge_13105551234' })).toEqual({
      edge_agent_id: 'edge_12015550101',
    });
    expect(person('chat831045551234')).toMatch(/^chat\d{6}$/);
    const texts = { text: 'one  sec ', filtered_text: 'one sec' };
    expect(names.body('/edge/message', 'request', texts)).toEqual({
      text: 'text_1_of_9',
      filtered_text: 'text_1_of_9',
    });
  });

  test('keeps the code of an error and nothing else of it', () => {
    const errorOf = (error: string) => Object(fresh().body('/edge/command/ack', 'request', { error })).error;
    expect(errorOf('too_late: you wrote at noon')).toBe('too_late: text_1_of_17');
    expect(errorOf('bob: is ill')).toBe('text_1_of_11');
  });

  test('has one pseudonym for one id that may contain a number, as a text and as a number', () => {
    const names = fresh();
    const id = (command_id: unknown) => Object(names.body('/edge/command/ack', 'request', { command_id }));
    expect(id('reply-13105554444-bob')).toEqual({ command_id: 'id_1' });
    expect(id('cmd_13105554444')).toEqual({ command_id: 'id_2' });
    expect(id(4711)).toEqual(id('4711'));
    const guid = '5AB627B5-438C-471C-97E4-70E851AFA29F';
    expect(id(guid)).toEqual({ command_id: guid });
  });

  test('has a time in numbers only where it is about now', () => {
    const time = (timestamp: unknown) => Object(Object(fresh().frame(command({ timestamp }))).data).timestamp;
    expect(time(NOW / 1_000)).toBe('2026-11-20T08:00:00.000Z');
    expect(time(3105557777)).toBe(0);
    expect(time('tomorrow, when she is away')).toMatch(/^text_/);
  });
});

/** Every key that is known anywhere, and some that are not. */
const KEYS = [
  ...new Set(
    EXAMPLES.flatMap((json) => [...JSON.stringify(json).matchAll(/"(\w+)":/g)].map(([, key = '']) => key)),
  ),
  ...['code', 'link', 'key', 'guid', 'version', 'config', '__proto__', 'constructor'],
];
const leak = fc
  .tuple(
    fc.constantFrom(
      '',
      'cmd_',
      'evt_',
      'edge_',
      'iMessage;-;',
      'too_late: ',
      'image/',
      'backend_',
      '1.2.3-',
      '+',
    ),
    fc.constantFrom('LEAK of Bob', '13105559999', 'bob@leak.example', '3105557777', 'https://leak.example/x'),
    fc.constantFrom('', '_x', '@x.example', ': x', '2026-11-20T08:00:00Z'),
  )
  .map((parts) => parts.join(''));
const value = fc.oneof(leak, fc.constantFrom(3105557777, 5557777, 13105559999, 1_700_000_000.5, true, null));
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 6, withCrossShrink: true },
    value,
    fc.array(tie('tree'), { maxLength: 3 }),
    fc.dictionary(fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...KEYS) }, leak), tie('tree'), {
      maxKeys: 5,
    }),
  ),
}));
/** A documented example in which anything may replace anything. */
const spoilt = fc
  .tuple(fc.constantFrom(...EXAMPLES), fc.infiniteStream(fc.option(tree, { freq: 3 })))
  .map(([example, spoils]) => {
    const spoil = (json: unknown): unknown => {
      const other = spoils.next().value;
      if (other !== null && other !== undefined) return other;
      if (Array.isArray(json)) return json.map(spoil);
      if (typeof json !== 'object' || json === null) return json;
      return Object.fromEntries(Object.entries(json).map(([key, item]) => [key, spoil(item)]));
    };
    const { type } = Object(example);
    const whole = spoil(example);
    return typeof type === 'string' && typeof whole === 'object' ? { ...whole, type } : whole;
  });

const PRIVATE = /leak|bob|3105559999|3105557777|5557777|17000000/i;

describe('no personal value survives', () => {
  test('in a frame', () => {
    fc.assert(
      fc.property(fc.oneof(tree, spoilt), (frame) => {
        expect(JSON.stringify(fresh().frame(frame) ?? null)).not.toMatch(PRIVATE);
      }),
      { numRuns: sized(400, 4_000) },
    );
  });

  test('in a request or an answer', () => {
    const paths = fc.constantFrom(...EXCHANGES.keys(), '/elsewhere');
    fc.assert(
      fc.property(paths, fc.constantFrom('request', 'answer'), fc.oneof(tree, spoilt), (path, side, body) => {
        expect(JSON.stringify(fresh().body(path, side, body) ?? null)).not.toMatch(PRIVATE);
      }),
      { numRuns: sized(400, 4_000) },
    );
  });

  test('in a path', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.constantFrom('edge', 'sync', '..'), leak)), (parts) => {
        const path = fresh().path(`/${parts.join('/')}`);
        expect(path).not.toMatch(PRIVATE);
        expect(path).toMatch(/^\//);
      }),
    );
    expect(fresh().path('/edge/sync')).toBe('/edge/sync');
  });
});
