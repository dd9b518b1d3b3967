import { describe, expect, test } from 'vitest';
import type { Ack } from '../../src/simulator/backend/frames.js';
import { Journal } from '../../src/simulator/backend/Journal.js';
import { systemClock } from '../../src/system/clock.js';
import type { Evidence } from './evidence.js';
import type { Intents } from './intents.js';
import { judge } from './judge.js';

const AGENT = 'edge_1';
const SENT = { outcome: 'sent' };

const TEXTS = ['one', 'two', 'later', 'reflex', 'bubble'];

/** Two commands, a scheduled text and a message with a reflex, all of them as they should be; `sent` is what went out. */
function flawless(sent: readonly string[] = TEXTS) {
  const journal = new Journal(systemClock, 1000, () => undefined);
  const body = { thread_id: 'a', sender: 'b', filtered_text: 'hello' };
  const reply = { should_respond: true, reply_bubbles: ['reflex', 'bubble'] };
  journal.record({ kind: 'message', agentId: AGENT, guid: 'm1', repeat: false, body });
  journal.record({ kind: 'reflex', agentId: AGENT, guid: 'm1', text: 'reflex', commandId: 'r1' });
  journal.record({ kind: 'reply', agentId: AGENT, guid: 'm1', body: reply, delivered: true });
  const acks = new Map<string, Ack>();
  const ack = (commandId: string, revision: number, more: Partial<Ack> = {}) => {
    const told: Ack = { command_id: commandId, revision, status: 'completed', result: SENT, ...more };
    acks.set(commandId, told);
    journal.record({ kind: 'ack', agentId: AGENT, channel: 'websocket', body: told });
  };
  ack('r1', 1);
  ack('c1', 1);
  ack('c2', 1);
  ack('s1', 1);
  ack('s1', 2);
  sent.forEach((text, index) => {
    const event = { event_id: `e${index}`, event_type: 'message_sent', details: { text } };
    journal.record({ kind: 'event', agentId: AGENT, channel: 'websocket', body: event });
  });
  const intents: Intents = {
    commands: [
      { kind: 'send', commandId: 'c1', conversation: 'a', text: 'one', isFile: false },
      { kind: 'send', commandId: 'c2', conversation: 'a', text: 'two', isFile: false },
      { kind: 'schedule', commandId: 's1', text: 'later' },
    ],
    messages: [{ guid: 'm1', conversation: 'a', late: false }],
  };
  const evidence: Evidence = {
    sent,
    journal,
    acks,
    unknown: [],
    failed: [],
    incoming: new Map([['m1', 'answered']]),
    integrity: 'ok',
    damaged: [],
  };
  return { intents, evidence, ack };
}

describe('the judge of a soak', () => {
  test('finds nothing where every promise was kept', () => {
    const { intents, evidence } = flawless();
    expect(judge(intents, evidence, false)).toEqual([]);
  });

  test.for([
    ['a command sent twice', ['one', 'one', 'two', 'later', 'reflex', 'bubble'], 'twice: “one”'],
    ['a reflex seen twice', ['one', 'two', 'later', 'reflex', 'reflex', 'bubble'], 'twice: “reflex”'],
    ['a text that nobody asked for', ['one', 'two', 'later', 'reflex', 'bubble', 'x'], 'twice: “x”'],
    ['a lost bubble', ['one', 'two', 'later', 'reflex'], 'lost: “bubble”'],
    ['a lost scheduled text', ['one', 'two', 'reflex', 'bubble'], 'lost: “later”'],
    ['commands in the wrong order', ['two', 'one', 'later', 'reflex', 'bubble'], 'order: “two”'],
    ['bubbles in the wrong order', ['one', 'two', 'later', 'bubble', 'reflex'], 'order: “bubble”'],
  ] as const)('finds %s', ([, sent, words]) => {
    const { intents, evidence } = flawless(sent);
    expect(judge(intents, evidence, false)).toContainEqual(expect.stringContaining(words));
  });

  test('finds a lie in an ack, and one that takes back what it said', () => {
    const { intents, evidence, ack } = flawless();
    ack('c1', 1, { status: 'failed', error: 'no', result: { outcome: 'not_sent' } });
    expect(judge(intents, evidence, false)).toEqual([
      expect.stringContaining('c1 revision 1 says “failed'),
      expect.stringContaining('c1 (“one”) failed with no'),
    ]);
  });

  test('finds a message that was never posted or never answered', () => {
    const { intents, evidence } = flawless();
    const lost = { guid: 'm2', conversation: 'a', late: false };
    const with2 = { ...intents, messages: [...intents.messages, lost] };
    expect(judge(with2, evidence, false)).toEqual(['message: m2 was never posted (never stored)']);
    const open = { ...evidence, incoming: new Map([['m1', 'open']]) };
    expect(judge(intents, open, false)).toEqual(['message: m1 is open']);
  });

  test('finds an image that was never uploaded', () => {
    const { intents, evidence } = flawless();
    const messages = intents.messages.map((message) => ({ ...message, image: 'at_0' }));
    expect(judge({ ...intents, messages }, evidence, false)).toEqual(['image: at_0 was never uploaded']);
  });

  test('bears an unknown outcome only where there may be one', () => {
    const { intents, evidence: doubtful } = flawless(TEXTS.slice(0, -1));
    const told = { ...doubtful, unknown: ['bubble'] };
    expect(judge(intents, told, true)).toEqual([]);
    expect(judge(intents, told, false)).not.toEqual([]);
    expect(judge(intents, doubtful, true)).not.toEqual([]);
  });
});
