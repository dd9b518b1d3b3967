import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Acks, Commands } from '../../src/commands/Commands.js';
import { cancelScheduled } from '../../src/commands/handlers/cancelScheduled.js';
import { contextReset, contextUpdate } from '../../src/commands/handlers/contexts.js';
import { emitEvent } from '../../src/commands/handlers/emitEvent.js';
import { listScheduled } from '../../src/commands/handlers/listScheduled.js';
import { scheduleMessage } from '../../src/commands/handlers/scheduleMessage.js';
import {
  plainText,
  requestVerdict,
  sendMessage,
  sendPayload,
} from '../../src/commands/handlers/sendMessage.js';
import type { AckBody } from '../../src/model/agentBodies.js';
import type { ReceivedCommand } from '../../src/model/command.js';
import { Scheduler } from '../../src/outgoing/Scheduler.js';
import { FakeClock } from '../support/FakeClock.js';
import { FakeMessages } from '../support/FakeMessages.js';
import { outgoingOn } from '../support/outgoingOn.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { temporaryStore } from '../support/temporaryStore.js';

const ANN = '+13105551234';

async function room(acksScheduled: 'stored' | 'sent' | 'both' = 'both') {
  const clock = new FakeClock();
  const store = temporaryStore(clock);
  const messages = new FakeMessages();
  const log = new RecordingLog();
  const acks = new Acks(store, clock);
  const outgoing = outgoingOn(store, messages, clock, { maxTextLength: 50 }, { log });
  const scheduler = new Scheduler({
    store,
    texts: outgoing,
    acks,
    clock,
    log,
    settings: () => ({ maxLatenessMs: 3_600_000, acks: acksScheduled }),
  });
  const ports = {
    texts: outgoing,
    schedule: scheduler,
    conversationKey(threadId: string) {
      if (threadId === 'poison') throw new Error('oops');
      return threadId.replace(/^.*;/, '');
    },
    limits: () => ({ maxAgeMs: 3_600_000, reflexMaxAgeMs: 600_000, bubbleDelayMs: 800, maxTextLength: 50 }),
    clock,
    files: {
      admit: () =>
        ({
          kind: 'refused',
          field: 'url',
          errorCode: 'attachment_refused',
          message: 'no files here',
        }) as const,
      discard: () => undefined,
    },
  };
  const commands = new Commands(store, acks, log, [
    sendMessage(ports),
    scheduleMessage(ports),
    cancelScheduled(scheduler),
    listScheduled(scheduler),
    contextUpdate({ ...ports, contexts: store.contexts }),
    contextReset({ ...ports, contexts: store.contexts }),
    emitEvent(store.events),
  ]);
  outgoing.onEnded((request) => {
    const verdict = requestVerdict(request.parts);
    commands.requestEnded(request, verdict);
    scheduler.textEnded(request, verdict);
  });
  await outgoing.start();
  scheduler.start();
  return {
    clock,
    store,
    messages,
    log,
    scheduler,
    receive: (...received: Partial<ReceivedCommand>[]) =>
      commands.receive(
        received.map((command) => ({
          commandId: 'cmd_1',
          commandType: 'send_message_now',
          payload: {},
          priority: 'normal',
          timestamp: null,
          fault: null,
          ...command,
        })),
        'websocket',
      ),
    changed: () => outgoing.chatChanged(),
    acks: (): AckBody[] => store.acks.after(0, 100).map(({ body }) => body),
  };
}

const inSeconds = (clock: FakeClock, seconds: number) => new Date(clock.now() + seconds * 1000).toISOString();

describe('a command', () => {
  test('to send is acked when its text is seen in chat.db, and not before', async () => {
    const { receive, messages, acks, store } = await room();
    receive({ payload: { thread_id: ANN, text: 'hello' } });
    expect(acks()).toEqual([]);
    expect(store.commands.countWaiting()).toBe(1);
    await messages.succeed();
    expect(acks()).toMatchObject([
      {
        command_id: 'cmd_1',
        status: 'completed',
        success: true,
        error: null,
        revision: 1,
        result: { outcome: 'sent', confirmed: true, message_guid: 'row-1', retry_safe: false },
      },
    ]);
    expect(store.commands.countWaiting()).toBe(0);
  });

  test('that is offered again is not executed again; its stored ack is sent again', async () => {
    const { receive, messages, acks, store } = await room();
    const payload = { thread_id: ANN, text: 'hello' };
    receive({ payload });
    receive({ payload });
    await messages.succeed();
    store.acks.clear(store.acks.after(0, 9).map(({ seq }) => seq));
    receive({ payload: { text: 'hello', thread_id: ANN } });
    expect(messages.texts).toEqual(['hello']);
    expect(acks()).toMatchObject([{ command_id: 'cmd_1', revision: 1, status: 'completed' }]);
    expect(acks()[0]?.result?.repeated).toBeUndefined();
  });

  test('that is offered again with different content is not executed, is warned about and marked', async () => {
    const { receive, messages, acks, log } = await room();
    receive({ payload: { thread_id: ANN, text: 'hello' } });
    await messages.succeed();
    receive({ payload: { thread_id: ANN, text: 'good-bye' } });
    expect(messages.texts).toEqual(['hello']);
    expect(acks()).toMatchObject([{ result: { repeated: true } }]);
    expect(log.lines.filter((line) => line.startsWith('WARN'))).toHaveLength(1);
  });

  test('of an unknown type fails with an ack that names the known types', async () => {
    const { receive, acks } = await room();
    receive({ commandType: 'make_coffee' });
    expect(acks()[0]).toMatchObject({ status: 'failed', success: false });
    expect(acks()[0]?.error).toMatch(/command_type: expected one of send_message_now, .*found "make_coffee"/);
  });

  test.each([
    [{ text: 'hi' }, /payload\.thread_id: expected a phone number.*chat_guid.*found nothing/],
    [{ thread_id: 'garbage;;', text: 'hi' }, /payload\.thread_id: expected a phone number/],
    [{ thread_id: 'a\0b', text: 'hi' }, /payload\.thread_id: expected a phone number/],
    [{ thread_id: ANN, text: '\0' }, /payload\.text: expected a text/],
    [{ thread_id: ANN, message: '' }, /payload\.message: expected a text.*found an empty string/],
    [{ thread_id: ANN, text: 5 }, /payload\.text: expected a text.*found a number/],
    [
      { thread_id: ANN, text: 'hi', bubble_type: 'huge' },
      /payload\.bubble_type: expected "reflex", "burst" or "normal"/,
    ],
  ])(
    'with the payload %j fails with an ack that names the field, and affects nothing else',
    async (payload, error) => {
      const { receive, acks, messages } = await room();
      receive({ commandId: 'bad', payload }, { commandId: 'good', payload: { thread_id: ANN, text: 'hi' } });
      expect(acks()[0]?.error).toMatch(error);
      expect(messages.texts).toEqual(['hi']);
    },
  );

  test.each(['text', 'message_text', 'message'])('is read with its text under "%s"', async (field) => {
    const { receive, messages } = await room();
    receive({ commandType: 'send_message', payload: { thread_id: ANN, [field]: 'hi' } });
    expect(messages.texts).toEqual(['hi']);
  });

  test('that is too old to be worth sending fails as too_late, a reflex sooner than others', async () => {
    const { receive, clock, acks, messages } = await room();
    const payload = { thread_id: ANN, text: 'one sec' };
    const timestamp = clock.now() - 601_000;
    receive({ commandId: 'old', payload, timestamp: clock.now() - 3_601_000 });
    receive({ commandId: 'reflex', payload: { ...payload, bubble_type: 'reflex' }, timestamp });
    receive({ commandId: 'normal', payload, timestamp });
    expect(acks().map(({ command_id, error }) => [command_id, error?.split(':')[0]])).toEqual([
      ['old', 'too_late'],
      ['reflex', 'too_late'],
    ]);
    expect(messages.texts).toEqual(['one sec']);
  });

  test('whose text is too long is refused with the limit named', async () => {
    const { receive, acks, messages } = await room();
    receive({ payload: { thread_id: ANN, text: 'x'.repeat(51) } });
    expect(acks()[0]?.error).toMatch(/text_too_long: .*limit is 50 characters/);
    expect(messages.texts).toEqual([]);
  });

  test('that Messages failed is not safe to repeat, as Messages may still send it; if it does, a later ack says so', async () => {
    const { receive, messages, clock, acks, changed } = await room();
    receive({ payload: { thread_id: ANN, text: 'hello' } });
    await messages.succeed(ANN, 22);
    clock.advance(10_001);
    Object.assign(messages.rows[0] ?? {}, { error: 0, wasDowngraded: true, service: 'SMS' });
    changed();
    expect(acks()).toMatchObject([
      {
        status: 'failed',
        revision: 1,
        error: expect.stringMatching(/^not_delivered: Messages reported error 22/),
        result: { outcome: 'not_sent', retry_safe: false, message_guid: 'row-1' },
      },
      {
        status: 'completed',
        revision: 2,
        error: null,
        result: { outcome: 'sent', retry_safe: false, message_guid: 'row-1', service: 'SMS', late: true },
      },
    ]);
  });

  test('with an unknown outcome is acked as such, and corrected by a later ack when its row appears', async () => {
    const { receive, acks, messages, clock } = await room();
    receive({ payload: { thread_id: ANN, text: 'hi' } });
    await messages.end({ kind: 'unknown', message: 'osascript was killed at its deadline.' });
    clock.advance(10_001);
    messages.addRow(ANN, 'hi');
    clock.advance(180_000);
    const [first, second] = acks();
    expect(first).toMatchObject({
      status: 'failed',
      revision: 1,
      result: { outcome: 'unknown', retry_safe: false },
    });
    expect(first?.error).toMatch(/^outcome_unknown: .*may still arrive/);
    expect(second).toMatchObject({ status: 'completed', revision: 2, result: { late: true } });
  });
});

describe('a command whose handler throws', () => {
  test('fails alone: the others of its batch are executed', async () => {
    const { receive, acks, messages } = await room();
    const text = { thread_id: ANN, text: 'hi' };
    const poison = { thread_id: 'poison', text: 'hi' };
    receive({ commandId: 'a', payload: poison }, { commandId: 'b', payload: text });
    expect(messages.texts).toEqual(['hi']);
    expect(acks()).toMatchObject([
      { command_id: 'a', status: 'failed', error: expect.stringMatching(/^internal: /) },
    ]);
  });
});

describe('a scheduled text', () => {
  const schedule = { commandType: 'schedule_message', commandId: 'cmd_s' };

  test('is acked when stored and again when sent', async () => {
    const { receive, acks, messages, clock } = await room();
    receive({
      ...schedule,
      payload: { thread_id: ANN, message_text: 'later', send_at: inSeconds(clock, 60) },
    });
    const stored = acks()[0];
    expect(stored).toMatchObject({ status: 'completed', revision: 1 });
    expect(stored?.result?.schedule_id).toMatch(/^sched_/);
    clock.advance(59_999);
    expect(messages.texts).toEqual([]);
    clock.advance(1);
    expect(messages.texts).toEqual(['later']);
    await messages.succeed();
    expect(acks()[1]).toMatchObject({
      status: 'completed',
      revision: 2,
      result: { schedule_id: stored?.result?.schedule_id, outcome: 'sent' },
    });
  });

  test.each([
    ['stored', 1],
    ['sent', 1],
    ['both', 2],
  ] as const)('with acks.scheduled: %s gets %i acks', async (setting, count) => {
    const { receive, acks, messages, clock } = await room(setting);
    receive({ ...schedule, payload: { thread_id: ANN, text: 'later', send_at: inSeconds(clock, 1) } });
    clock.advance(1000);
    await messages.succeed();
    expect(acks()).toHaveLength(count);
  });

  test('for a time in the past is sent now, unless it is too late', async () => {
    const { receive, acks, messages, clock } = await room();
    receive({ ...schedule, payload: { thread_id: ANN, text: 'now', send_at: inSeconds(clock, -3599) } });
    receive({
      ...schedule,
      commandId: 'late',
      payload: { thread_id: ANN, text: 'no', send_at: inSeconds(clock, -3601) },
    });
    expect(messages.texts).toEqual(['now']);
    expect(acks().find(({ command_id }) => command_id === 'late')?.error).toMatch(/^too_late/);
  });

  test('is only ever delayed by a clock that is set back, and sent at once when it jumps ahead', async () => {
    const { receive, messages, clock, scheduler } = await room();
    receive({ ...schedule, payload: { thread_id: ANN, text: 'later', send_at: inSeconds(clock, 60) } });
    clock.jumpWall(-30_000);
    clock.advance(60_000);
    expect(messages.texts).toEqual([]);
    clock.jumpWall(60_000);
    scheduler.clockChanged();
    expect(messages.texts).toEqual(['later']);
  });

  test.each(['schedule_id', 'command_id'])(
    'can be cancelled by its %s until it is being sent',
    async (by) => {
      const { receive, acks, messages, clock } = await room();
      receive({ ...schedule, payload: { thread_id: ANN, text: 'later', send_at: inSeconds(clock, 60) } });
      const id = by === 'command_id' ? 'cmd_s' : acks()[0]?.result?.schedule_id;
      receive({ commandId: 'cmd_c', commandType: 'cancel_message', payload: { message_id: id } });
      clock.advance(60_000);
      expect(messages.texts).toEqual([]);
      expect(acks().slice(1)).toMatchObject([
        { command_id: 'cmd_s', status: 'failed', error: 'cancelled by cmd_c', revision: 2 },
        { command_id: 'cmd_c', status: 'completed' },
      ]);
      receive({ commandId: 'cmd_d', commandType: 'cancel_scheduled', payload: { schedule_id: id } });
      expect(acks().at(-1)).toMatchObject({
        command_id: 'cmd_d',
        status: 'failed',
        result: { state: 'cancelled' },
      });
    },
  );

  test('that is unknown cannot be cancelled, and the ack says so', async () => {
    const { receive, acks } = await room();
    receive({ commandType: 'cancel_scheduled', payload: { schedule_id: 'nope' } });
    expect(acks()[0]?.error).toMatch(/^schedule_unknown/);
  });

  test('is listed', async () => {
    const { receive, acks, clock } = await room('sent');
    receive({ ...schedule, payload: { thread_id: ANN, text: 'later', schedule_time: inSeconds(clock, 60) } });
    receive({ commandId: 'cmd_l', commandType: 'list_scheduled', payload: { status: 'pending' } });
    expect(acks()[0]?.result).toMatchObject({
      count: 1,
      scheduled: [{ command_id: 'cmd_s', status: 'pending' }],
    });
  });

  test.each(['tomorrow', '2026-13-45T00:00:00Z', 5, ''])('refuses the time %j', async (send_at) => {
    const { receive, acks } = await room();
    receive({ ...schedule, payload: { thread_id: ANN, text: 'later', send_at } });
    expect(acks()[0]?.error).toMatch(/payload\.send_at: expected a time in ISO 8601/);
  });

  test('takes a time without a zone as UTC', async () => {
    const { receive, store } = await room();
    receive({ ...schedule, payload: { thread_id: ANN, text: 'x', send_at: '2026-02-16T18:30:00' } });
    expect(store.schedule.find('cmd_s')?.sendAt).toBe(Date.UTC(2026, 1, 16, 18, 30));
  });

  test('is created by a send_message with a future time', async () => {
    const { receive, messages, clock } = await room();
    const payload = { thread_id: ANN, text: 'later', schedule_time: inSeconds(clock, 5) };
    receive({ commandType: 'send_message', payload });
    expect(messages.texts).toEqual([]);
    clock.advance(5_000);
    expect(messages.texts).toEqual(['later']);
  });
});

describe('a context', () => {
  test('is kept with its conversation whatever the form of the thread id, and its text is sent', async () => {
    const { receive, acks, messages, store } = await room();
    const payload = {
      chat_guid: `iMessage;-;${ANN}`,
      app_id: 'quiz',
      state: 'active',
      notify_text: 'quiz time',
    };
    receive({ commandType: 'context_update', payload });
    expect(store.contexts.get(ANN)).toEqual({ app_id: 'quiz', state: 'active' });
    expect(messages.texts).toEqual(['quiz time']);
    expect(acks()).toMatchObject([{ status: 'completed' }]);
    receive({ commandId: 'cmd_2', commandType: 'context_reset', payload: { thread_id: ANN } });
    expect(store.contexts.get(ANN)).toBeUndefined();
    expect(acks()[1]).toMatchObject({ status: 'completed', result: { had_context: true } });
  });

  test('without an app is refused with the field named', async () => {
    const { receive, acks } = await room();
    receive({ commandType: 'context_update', payload: { thread_id: ANN } });
    expect(acks()[0]?.error).toMatch(/payload\.app_id: expected the id of an app, found nothing/);
  });
});

test('an event that the backend asks for is sent back to it', async () => {
  const { receive, store } = await room();
  const payload = { event_type: 'probe', thread_id: ANN, event_data: { n: 1 } };
  receive({ commandType: 'emit_event', payload });
  expect(store.events.after(0, 9)).toMatchObject([
    { eventType: 'backend_probe', threadId: ANN, details: { n: 1 } },
  ]);
});

test('a scheduled text is logged as executed when it is stored and when it was sent', async () => {
  const { receive, messages, clock, log } = await room();
  const payload = { thread_id: ANN, message_text: 'later', send_at: inSeconds(clock, 60) };
  receive({ commandType: 'schedule_message', payload });
  const executed = 'INFO ✅ Command cmd_1 executed successfully';
  expect(log.lines).toEqual(['INFO 📥 Received command via WebSocket: cmd_1', executed]);
  clock.advance(60_000);
  await messages.succeed();
  expect(log.lines.filter((line) => line === executed)).toHaveLength(2);
});

test('no scheduled text is logged as due before its command is logged as received', async () => {
  const { receive, clock, log } = await room();
  const payload = (seconds: number) => ({
    thread_id: ANN,
    message_text: 'now',
    send_at: inSeconds(clock, seconds),
  });
  receive(
    { commandId: 'cmd_1', commandType: 'schedule_message', payload: payload(60) },
    { commandId: 'cmd_2', commandType: 'schedule_message', payload: payload(0) },
  );
  const came = log.lines.indexOf('INFO 📥 Received command via WebSocket: cmd_2');
  expect(came).toBeGreaterThanOrEqual(0);
  expect(log.lines.indexOf('INFO A scheduled text is due')).toBeGreaterThan(came);
});

test('a text to a number is read without the schema as the schema reads it', () => {
  const word = fc.oneof(
    fc.constantFrom('+13105551234', '+1310555\n', '+', 'ann@b.c', ' ', '\0', '\ud800', 'Hi'),
    fc.string(),
    fc.integer(),
    fc.constant(null),
  );
  const field = fc.constantFrom('thread_id', 'text', 'message_text', 'bubble_type', 'send_at', '__proto__');
  let read = 0;
  const agrees = (payload: Record<string, unknown>) => {
    const plain = plainText(payload);
    if (plain === undefined) return;
    read += 1;
    const { attachments = [], ...rest } = sendPayload(payload).parse(payload);
    expect(plain).toEqual({ ...rest, attachments });
  };
  fc.assert(fc.property(fc.dictionary(field, word), agrees), { numRuns: 1_000 });
  const known = fc.constantFrom('+13105551234', '+1');
  fc.assert(fc.property(fc.record({ thread_id: fc.oneof(word, known), text: word }), agrees), {
    numRuns: 1_000,
  });
  expect(read).toBeGreaterThan(50);
});

test.each([
  { text: 'Hi', thread_id: ANN },
  { b: 1, a: null, 10: 'x', 9: true },
  { b: { d: 1, c: [{ f: 2, e: 3 }] }, a: 1.5 },
  { '\u00e9"': 'quoted', '\ud800': 'half' },
])('the contents of a command are stored as earlier versions stored them: %j', async (payload) => {
  const { store, receive } = await room();
  receive({ commandType: 't', payload });
  const inOrder = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(inOrder);
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(entries.map(([key, inner]) => [key, inOrder(inner)]));
  };
  const said = JSON.stringify(['t', inOrder(payload)]);
  const expected = createHash('sha256').update(said).digest('base64url');
  expect(store.commands.find('cmd_1')?.bodyHash).toBe(expected);
});
