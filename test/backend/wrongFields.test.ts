import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseFrame, parseSyncReply } from '../../src/backend/protocol.js';

/** The fields of a document's schema, with the type that each has; undefined where it says none. */
function fieldsOf(schema: string): [string, string | undefined][] {
  const text = readFileSync(new URL(`../../docs/api/schemas/${schema}.json`, import.meta.url), 'utf8');
  const { properties } = JSON.parse(text) as { properties: Record<string, { type?: string }> };
  return Object.entries(properties).map(([name, { type }]) => [name, type]);
}

const WRONGS: readonly [string, unknown][] = [
  ['null', null],
  ['a number', 7],
  ['a text', 'x'],
  ['a list', [null, {}, []]],
  ['an object', { a: null }],
  ['a truth value', true],
  ['missing', undefined],
];
const each = (schema: string) =>
  fieldsOf(schema).flatMap(([field, type]) => WRONGS.map(([kind, value]) => ({ field, type, kind, value })));

const command = (id: string) => ({
  command_id: id,
  command_type: 'send_message',
  payload: { recipient: 'a' },
});
const SYNC = {
  commands: [command('one'), command('two')],
  ack_events: ['e'],
  ack_commands: ['c'],
  config_updates: { a: 1 },
};
const READ = {
  commands: ['one', 'two'],
  ack_events: ['e'],
  ack_commands: ['c'],
  config_updates: { a: 1 },
} as Record<string, unknown>;

describe('a sync reply', () => {
  test.each(each('SyncReply'))(
    'in which $field is $kind: the rest is accepted',
    ({ field, type, kind, value }) => {
      const reply = parseSyncReply({ ...SYNC, [field]: value });
      const { [field]: _, ...others } = READ;
      expect({
        commands: reply?.commands.map(({ commandId }) => commandId),
        ack_events: reply?.ackEvents,
        ack_commands: reply?.ackCommands,
        config_updates: reply?.configUpdates,
      }).toMatchObject(others);
      const isRight = kind === `a ${type === 'array' ? 'list' : type}` || kind === `an ${type}`;
      const isAbsent = value === undefined || value === null;
      expect(reply?.faults ?? []).toEqual(
        isRight || isAbsent
          ? []
          : [expect.stringMatching(new RegExp(`^${field}: expected an? (list|object), found a`))],
      );
    },
  );

  test.each(each('Command'))(
    'whose first command has $kind as $field: the second is accepted',
    ({ field, value }) => {
      const reply = parseSyncReply({
        ...SYNC,
        commands: [{ ...command('one'), [field]: value }, command('two')],
      });
      const [first, second = first] = reply?.commands ?? [];
      expect(second).toMatchObject({ commandId: 'two', fault: null });
      // Without an id nothing can be acked; with one the ack says which field is wrong, where one is.
      expect((reply?.commands.length ?? 0) + (reply?.dropped ?? 0)).toBe(2);
      if (reply?.dropped === 0) expect(first?.fault ?? `${field}: `).toMatch(new RegExp(`^${field}: `));
    },
  );
});

describe.each([
  'CommandFrame',
  'ConfigUpdateFrame',
  'ConnectedFrame',
  'ErrorFrame',
  'NotificationFrame',
  'BackendPing',
  'BackendPong',
])('a frame of %s', (schema) => {
  const types: Record<string, unknown> = {
    ...{ CommandFrame: { type: 'command', data: command('one') } },
    ...{
      ConfigUpdateFrame: { type: 'config_update', data: { a: 1 } },
      ConnectedFrame: { type: 'connected' },
    },
    ...{ ErrorFrame: { type: 'error', data: { message: 'm' } }, NotificationFrame: { type: 'notification' } },
    ...{ BackendPing: { type: 'ping' }, BackendPong: { type: 'pong' } },
  };
  test.each(each(schema))(
    'in which $field is $kind is read, or reported as malformed',
    ({ field, value }) => {
      const frame = parseFrame(JSON.stringify({ ...(types[schema] as object), [field]: value }));
      const isTyped = field !== 'type' || value === 'x';
      if (isTyped && field !== 'data') expect(frame.type).not.toBe('malformed');
      if (frame.type === 'malformed') expect(frame.reason).toMatch(/type|command_id|settings/);
    },
  );
});
