import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ackBody,
  ackFrame,
  parseCommand,
  parseFrame,
  parseInstant,
  parseSyncReply,
  syncBody,
} from '../../src/backend/protocol.js';

const NOW = Date.UTC(2026, 1, 16);

describe('reading frames', () => {
  test.each([
    [
      'seed 000',
      '{"type":"command","data":{"command_id":"c","command_type":"schedule_message","payload":{"thread_id":"+13105551234"},"priority":"normal"}}',
    ],
    [
      'seed 002',
      '{"type":"command","payload":{"command_id":"c","command_type":"schedule_message","payload":{"thread_id":"+13105551234"},"timestamp":"2025-11-15T06:31:11Z"}}',
    ],
    [
      'parameters',
      '{"type":"command","data":{"command_id":"c","command_type":"schedule_message","parameters":{"thread_id":"+13105551234"}}}',
    ],
    [
      'params',
      '{"type":"command","data":{"command_id":"c","command_type":"schedule_message","params":{"thread_id":"+13105551234"}}}',
    ],
    [
      'no envelope',
      '{"type":"command","command_id":"c","command_type":"schedule_message","payload":{"thread_id":"+13105551234"}}',
    ],
  ])('reads a command in the form of %s', (_form, text) => {
    const frame = parseFrame(text);
    expect(frame).toMatchObject({
      type: 'command',
      command: {
        commandId: 'c',
        commandType: 'schedule_message',
        payload: { thread_id: '+13105551234' },
        priority: 'normal',
        fault: null,
      },
    });
  });

  test('leaves the type as it was written, so that a repeat reads the same at any time', () => {
    const command = (type: string, payload = {}) =>
      parseCommand({ command_id: 1, command_type: type, payload });
    expect(command('send_message', { send_at: '2026-02-16T00:00:01' })).toMatchObject({
      commandId: '1',
      commandType: 'send_message',
    });
    expect(command(' Cancel_Message ')?.commandType).toBe('cancel_message');
  });

  test('keeps a command whose payload is wrong, and reports why', () => {
    expect(parseCommand({ command_id: 'c', command_type: 'x', payload: [1] })?.fault).toBe(
      'payload: expected an object, found a list',
    );
    expect(parseCommand({ command_id: 'c', command_type: 'x', payload: 'text' })?.fault).toBe(
      'payload: expected an object, found a string',
    );
    expect(parseCommand({ command_id: 'c' })?.fault).toBe('command_type: expected a name');
    expect(
      parseCommand({ command_id: 'c', command_type: 'x', priority: 'URGENT', timestamp: 'soon' }),
    ).toMatchObject({ priority: 'normal', timestamp: null, fault: null });
  });

  test('drops only a command without a usable command_id', () => {
    for (const id of ['', '  ', null, {}, [], true])
      expect(parseCommand({ command_id: id, command_type: 'x' })).toBeUndefined();
    expect(parseFrame('{"type":"command","data":{"command_type":"x"}}').type).toBe('malformed');
  });

  test('reads instants with and without zone, in seconds and in milliseconds', () => {
    for (const value of [
      '2026-02-16T00:00:00Z',
      '2026-02-16T00:00:00',
      '2026-02-16 00:00:00',
      '2026-02-16T01:00:00+01:00',
      NOW,
      NOW / 1000,
      String(NOW / 1000),
    ])
      expect(parseInstant(value)).toBe(NOW);
    for (const value of ['', 'soon', null, {}, -1, Number.NaN]) expect(parseInstant(value)).toBeNull();
  });

  test('reads greetings, notices, settings and unknown types', () => {
    expect(parseFrame('{"type":"connected","data":{"accepts":["event",7]}}')).toEqual({
      type: 'connected',
      accepts: ['event', '7'],
    });
    expect(parseFrame('{"type":"connected"}')).toEqual({ type: 'connected', accepts: null });
    expect(parseFrame('{"type":"config_update","data":{"a":1}}')).toEqual({
      type: 'config_update',
      settings: { a: 1 },
    });
    expect(parseFrame('{"type":"config_update"}').type).toBe('malformed');
    expect(parseFrame('{"type":"error","data":{"message":"no"}}')).toEqual({
      type: 'notice',
      name: 'error',
      text: 'no',
    });
    const notification = (data: object) => parseFrame(JSON.stringify({ type: 'notification', data }));
    expect(notification({ level: 'warning', message: 'noon' })).toEqual({
      type: 'notification',
      level: 'warning',
      message: 'noon',
    });
    expect(notification({ level: 'loud', message: 'noon' })).toMatchObject({ level: 'info' });
    expect(parseFrame('{"type":"__proto__"}')).toEqual({ type: 'unknown', name: '__proto__' });
  });

  test('never throws, whatever the text', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseFrame(text)));
    fc.assert(fc.property(fc.json(), (text) => void parseFrame(text)));
    const typed = fc.record({
      type: fc.constantFrom('command', 'config_update', 'connected', 'error', 'pong'),
      data: fc.jsonValue(),
      payload: fc.jsonValue(),
      accepts: fc.jsonValue(),
    });
    fc.assert(fc.property(typed, (frame) => void parseFrame(JSON.stringify(frame))));
    fc.assert(fc.property(fc.jsonValue(), (reply) => void parseSyncReply(reply)));
  });
});

describe('reading sync replies', () => {
  test('reads every part, and parts of a wrong shape as absent', () => {
    expect(
      parseSyncReply({
        commands: [{ command_id: 'a', command_type: 'x' }, { no: 'id' }, 7],
        ack_events: ['e1', 2, null],
        ack_commands: ['a'],
        config_updates: { b: 2 },
      }),
    ).toMatchObject({
      commands: [{ commandId: 'a' }],
      dropped: 2,
      ackEvents: ['e1', '2'],
      ackCommands: ['a'],
      configUpdates: { b: 2 },
    });
    expect(parseSyncReply({ commands: 'none', ack_events: 1 })).toEqual({
      commands: [],
      dropped: 0,
      ackEvents: [],
      ackCommands: [],
      configUpdates: null,
      faults: ['commands: expected a list, found a string', 'ack_events: expected a list, found a number'],
    });
    expect(parseSyncReply([])).toBeUndefined();
    expect(parseSyncReply(undefined)).toBeUndefined();
  });
});

describe('writing', () => {
  test('writes an ack that satisfies every document', () => {
    const body = ackBody({ commandId: 'c', error: null, at: NOW, revision: 2, result: { outcome: 'sent' } });
    expect(JSON.parse(ackFrame(body))).toEqual({
      type: 'command_ack',
      data: {
        command_id: 'c',
        status: 'completed',
        success: true,
        error: null,
        completed_at: '2026-02-16T00:00:00.000Z',
        timestamp: '2026-02-16T00:00:00.000Z',
        revision: 2,
        result: { outcome: 'sent' },
      },
    });
    expect(ackBody({ commandId: 'c', error: 'no', at: NOW, revision: 1 })).toMatchObject({
      status: 'failed',
      success: false,
      error: 'no',
    });
  });

  test('writes a sync request', () => {
    expect(
      syncBody({
        agentId: 'edge_1',
        lastCommandId: null,
        events: [],
        acks: [],
        status: { uptime_seconds: 1 },
      }),
    ).toEqual({
      edge_agent_id: 'edge_1',
      last_command_id: null,
      pending_events: [],
      command_acks: [],
      status: { active_rules: 0, uptime_seconds: 1 },
    });
  });
});
