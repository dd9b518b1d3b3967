import { describe, expect, test } from 'vitest';
import type { Ack } from '../../src/gateway/agents/frames.js';
import type { MessageBody } from '../../src/gateway/agents/requests.js';
import { Journal } from '../../src/kit/backend/Journal.js';
import { systemClock } from '../../src/system/clock.js';
import type { Evidence } from './evidence.js';
import type { Intents, MessageIntent } from './intents.js';
import { judge } from './judge.js';

const AGENT = 'edge_1';
const SENT = { outcome: 'sent' };

const TEXTS = ['one', 'two', 'later', 'reflex', 'bubble'];

const message = (guid: string, text: string): MessageIntent => ({
  ...{ guid, text, conversation: 'a', late: false, images: [], copies: [] },
});

/** Two commands, a scheduled text and a message with a reflex, all of them correct; `sent` is what was sent. */
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
      { kind: 'schedule', commandId: 's1', conversation: 'a', text: 'later' },
    ],
    messages: [message('m1', 'hello')],
    operators: [],
    targets: new Map([['a', new Set(['chat of a'])]]),
  };
  const evidence: Evidence = {
    sent,
    dispatches: sent.map((text) => ({ text, target: 'chat of a' })),
    journal,
    acks,
    restores: [],
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
    ['an unrequested text', ['one', 'two', 'later', 'reflex', 'bubble', 'x'], 'twice: “x”'],
    ['a lost bubble', ['one', 'two', 'later', 'reflex'], 'lost: “bubble”'],
    ['a lost scheduled text', ['one', 'two', 'reflex', 'bubble'], 'lost: “later”'],
    ['commands in the wrong order', ['two', 'one', 'later', 'reflex', 'bubble'], 'order: “two”'],
    ['bubbles in the wrong order', ['one', 'two', 'later', 'bubble', 'reflex'], 'order: “bubble”'],
  ] as const)('finds %s', ([, sent, words]) => {
    const { intents, evidence } = flawless(sent);
    expect(judge(intents, evidence, false)).toContainEqual(expect.stringContaining(words));
  });

  test('finds an untrue ack, and one that withdraws what it said', () => {
    const { intents, evidence, ack } = flawless();
    ack('c1', 1, { status: 'failed', error: 'no', result: { outcome: 'not_sent' } });
    expect(judge(intents, evidence, false)).toEqual([
      expect.stringContaining('c1 revision 1 says “failed'),
      expect.stringContaining('c1 (“one”) failed with no'),
    ]);
  });

  test('finds a message that was never posted or never answered', () => {
    const { intents, evidence } = flawless();
    const lost = message('m2', 'hello');
    const with2 = { ...intents, messages: [...intents.messages, lost] };
    expect(judge(with2, evidence, false)).toEqual(['message: m2 (“hello”) was never posted (not stored)']);
    const open = { ...evidence, incoming: new Map([['m1', 'open']]) };
    expect(judge(intents, open, false)).toEqual(['message: m1 is open']);
  });

  test('finds an image that was never uploaded', () => {
    const { intents, evidence } = flawless();
    const messages = intents.messages.map((sent) => ({ ...sent, images: ['at_0'] }));
    expect(judge({ ...intents, messages }, evidence, false)).toEqual(['image: at_0 was never uploaded']);
  });

  const post = (guid: string, text: string, sequence: number, more: Partial<MessageBody> = {}) => ({
    kind: 'message' as const,
    agentId: AGENT,
    guid,
    repeat: false,
    body: { thread_id: 'a', sender: 'b', filtered_text: text, sequence, ...more },
  });
  const told = (event_type: string, details: Record<string, unknown>, event_id = event_type) => ({
    kind: 'event' as const,
    agentId: AGENT,
    channel: 'websocket' as const,
    body: { event_id, event_type, details },
  });
  const copied = { ...message('m1', 'hello'), copies: [{ guid: 'copy of m1', images: [] }] };
  const edited = { ...message('m1', 'hello!'), before: 'hello', fate: 'edited' as const };
  const unsent = { ...message('m1', 'hello'), fate: 'unsent' as const };

  test.for([
    ['a row of the agent that was posted', [], [post('x', 'one', 1)], 'ownership: x (“one”)'],
    ['a copy that was posted too', [copied], [post('copy of m1', 'hello', 1)], 'identity: one message'],
    ['other words', [], [post('m1', 'hallo', 1)], 'words: m1 was posted as ["hallo",null]'],
    [
      'parts that were lost',
      [{ ...message('m1', 'hello'), parts: ['', 'hello'] }],
      [post('m1', 'hello', 1, { parts: [{ type: 'text', text: 'hello' }] })],
      'words: m1',
    ],
    ['an edit that is not known', [edited], [], 'later: the edit of m1'],
    ['a message that was taken back without a word', [unsent], [], 'later: the backend has m1'],
    ['an edit of nothing', [], [told('message_edited', { message_guid: 'm1' })], 'told as edited 1 times'],
    ['a message called ours', [], [told('message_withdrawn', { message_guid: 'm1' })], 'withdrawn as ours'],
    [
      'a text of the agent called a person’s',
      [],
      [told('operator_replied', { text: 'one' })],
      'operator: “one”',
    ],
    [
      'a number twice',
      [message('m1', 'hello'), message('m2', 'ho')],
      [post('m1', 'hello', 1), post('m2', 'ho', 1)],
      'm2 has 1',
    ],
    ['a number that is missing', [message('m1', 'hello')], [post('m1', 'hello', 2)], 'nobody in a has 1'],
    [
      'a number that changes',
      [],
      [post('m1', 'hello', 1), post('m1', 'hello', 2)],
      'm1 was posted as 1 and 2',
    ],
    [
      'numbers in the wrong order',
      [message('m1', 'hello'), message('m2', 'ho')],
      [post('m2', 'ho', 1), post('m1', 'hello', 2)],
      'm2 has 1, less than an older one',
    ],
  ] as const)('finds %s', ([, messages, happenings, words]) => {
    const { intents, evidence } = flawless();
    for (const happening of happenings) evidence.journal.record(happening);
    const given = messages.length === 0 ? intents : { ...intents, messages };
    expect(judge(given, evidence, false)).toContainEqual(expect.stringContaining(words));
  });

  test('finds an answer of a person that was not reported, and a text that was sent to someone else', () => {
    const { intents, evidence } = flawless();
    const operators = [{ guid: 'o1', text: 'by hand' }];
    const astray = { ...evidence, dispatches: [{ text: 'two', target: 'chat of b' }] };
    expect(judge({ ...intents, operators }, astray, false)).toEqual([
      'operator: “by hand” was told 0 times',
      'target: “two” went to chat of b',
    ]);
  });

  test('accepts a gap that an event explains', () => {
    const { intents, evidence } = flawless();
    const messages = [unsent, message('m2', 'ho')];
    const { journal } = evidence;
    journal.record(post('m2', 'ho', 2));
    journal.record(told('message_unsent', { message_guid: 'm1', sequence: 1 }));
    const incoming = new Map([['m2', 'answered']]);
    expect(judge({ ...intents, messages }, { ...evidence, incoming }, false)).toEqual([]);
  });

  test.for([
    ['the first answer', ['reflex', 'bubble'], []],
    ['the second answer, behind the reflex of the first', ['reflex', 'other', 'words'], []],
    ['both answers', ['reflex', 'bubble', 'other', 'words'], ['twice: “other”', 'twice: “words”']],
  ] as const)('after a restore expects one answer to a message and its copy: %s', ([, said, broken]) => {
    const { intents, evidence } = flawless(['one', 'two', 'later', ...said]);
    const reply = { should_respond: true, reply_bubbles: ['other', 'words'] };
    const { journal } = evidence;
    journal.record({ kind: 'reply', agentId: AGENT, guid: 'copy of m1', body: reply, delivered: true });
    const given = { ...intents, messages: [copied] };
    const restored = { ...evidence, restores: [{ copiedAt: 0, restoredAt: 1 }] };
    const texts = judge(given, restored, false).filter((one) => /^(?:twice|lost)/.test(one));
    expect(texts.map((one) => one.split(' went')[0])).toEqual(broken);
  });

  test('accepts an unknown outcome only where there may be one', () => {
    const { intents, evidence: doubtful } = flawless(TEXTS.slice(0, -1));
    const told = { ...doubtful, unknown: [{ id: 'reply:m1:2', text: 'bubble', error: '' }] };
    expect(judge(intents, told, true)).toEqual([]);
    expect(judge(intents, told, false)).not.toEqual([]);
    expect(judge(intents, doubtful, true)).not.toEqual([]);
  });

  test('waits for no text whose outcome is unknown: its row may come later', () => {
    const { intents, evidence } = flawless(['one', 'two', 'later', 'bubble', 'reflex']);
    const told = { ...evidence, unknown: [{ id: 'reply:m1:0', text: 'reflex', error: '' }] };
    expect(judge(intents, told, true)).toEqual([]);
    expect(judge(intents, told, false)).toContainEqual(expect.stringContaining('order: “bubble”'));
  });
});
