import { describe, expect, test } from 'vitest';
import type { OutgoingMessage } from '../../../src/model/gatewayMessages.js';
import type { Attempt } from './Bot.js';
import type { FollowedEvent } from './EventFollower.js';
import type { GatewayEvidence, GatewayIntents } from './intents.js';
import { judgeGateway } from './judgeGateway.js';

const AGENT = 'edge_1';
const WHO = { agentId: AGENT, conversation: '+1' };
const SENT = ['one~', 'two~', 'm1a2b0~', 'm1a2b1~'];

const shown = (id: string, text: string, status: OutgoingMessage['status'] = 'sent'): OutgoingMessage => {
  const at = '2026-11-30T12:00:00.000Z';
  const step = { at, recorded_at: at, evidence: { kind: 'request' } as const };
  return {
    ...{ id, agent: AGENT, conversation: '+1', text, attachments: [], send_at: null, in_reply_to: null },
    ...{ status, status_at: at, error: null, retry_safe: null, outcome: null, message_guid: null },
    ...{ service: null, deduplicated: false, cancel_requested_at: null, created_at: at },
    history: [{ ...step, status: 'queued' as const }, ...(status === 'queued' ? [] : [{ ...step, status }])],
  };
};

const told = (id: string, message_id: string, status = 'sent'): FollowedEvent => ({
  ...{ id, type: 'message.status', agent: AGENT },
  data: { conversation: '+1', message_id, status, in_reply_to: null },
});
const received = (id: string, guid: string, sequence = 1): FollowedEvent => ({
  ...{ id, type: 'message.received', agent: AGENT },
  data: { conversation: '+1', message: { message_guid: guid, filtered_text: 'm1 hello', sequence } },
});

/** Two texts, and a message whose first answer broke off: all as it should be. */
function flawless(sent: readonly string[] = SENT): { intents: GatewayIntents; evidence: GatewayEvidence } {
  const events = [received('e1', 'g1'), told('e2', 'msg_1'), told('e3', 'msg_2')];
  let now = 0;
  const attempt = (event: FollowedEvent, webhook: string, more: Partial<Attempt> = {}): Attempt => {
    now += 1;
    const seen = { ...event, data: { ...event.data, message: undefined } };
    const message = { message_guid: 'g1', filtered_text: 'm1 hello' };
    const data = event.type === 'message.received' ? { ...seen.data, message } : seen.data;
    return {
      webhook,
      event: { ...event, data },
      body: event.id,
      texts: [],
      at: now,
      takenAt: now + 0.5,
      ...more,
    };
  };
  const attempts = events.flatMap((event) => {
    const isMessage = event.type === 'message.received';
    const broken = isMessage ? [attempt(event, 'bot', { texts: ['m1a1b0~'], takenAt: undefined })] : [];
    const answer = isMessage ? { texts: ['m1a2b0~', 'm1a2b1~'] } : {};
    return [...broken, attempt(event, 'bot', answer), attempt(event, 'archive')];
  });
  return {
    intents: {
      texts: [
        { ...WHO, text: 'one~', isScheduled: false, ids: new Set(['msg_1']) },
        { ...WHO, text: 'two~', isScheduled: false, ids: new Set(['msg_2']) },
      ],
      messages: [{ ...WHO, guid: 'g1', text: 'm1 hello' }],
      targets: new Map([[`${AGENT} +1`, new Set([`${AGENT} +1`])]]),
    },
    evidence: {
      dispatches: new Map([[AGENT, sent.map((text) => ({ text, target: '+1' }))]]),
      attempts,
      events,
      shown: [shown('msg_1', 'one~'), shown('msg_2', 'two~')],
      offences: [],
    },
  };
}

describe('the judge of a soak of the gateway', () => {
  test('finds nothing where every promise was kept', () => {
    const { intents, evidence } = flawless();
    expect(judgeGateway(intents, evidence)).toEqual([]);
  });

  test.for([
    ['a text sent twice', [...SENT, 'one~'], 'twice: “one~”'],
    ['a text that is said to be sent and was not', SENT.slice(1), 'lost: “one~”'],
    ['an unrequested text', [...SENT, 'x'], 'twice: “x”'],
    ['texts in the wrong order', ['two~', 'one~', ...SENT.slice(2)], 'order: “two~”'],
    ['an answer that was not delivered', SENT.slice(0, 2), 'was answered, and the answer was not delivered'],
    ['half of an answer', SENT.slice(0, 3), 'lost: “m1a2b1~”'],
    ['the answers of two attempts', [...SENT, 'm1a1b0~'], 'was answered by several attempts'],
    ['bubbles in the wrong order', ['one~', 'two~', 'm1a2b1~', 'm1a2b0~'], 'order: “m1a2b1~”'],
  ] as const)('finds %s', ([, sent, words]) => {
    const { intents, evidence } = flawless(sent);
    expect(judgeGateway(intents, evidence)).toContainEqual(expect.stringContaining(words));
  });

  test.for<[string, (evidence: GatewayEvidence) => Partial<GatewayEvidence>, string]>([
    [
      'a text that went to somebody else',
      () => ({ dispatches: new Map([[AGENT, SENT.map((text) => ({ text, target: '+2' }))]]) }),
      'target: “one~” went to edge_1 +2',
    ],
    [
      'a message that waits forever',
      () => ({ shown: [shown('msg_1', 'one~', 'queued'), shown('msg_2', 'two~')] }),
      'msg_1 (“one~”) is still queued',
    ],
    [
      'a false failure',
      () => ({ shown: [shown('msg_1', 'one~', 'failed'), shown('msg_2', 'two~')] }),
      'twice: “one~” went out 1 times instead of 0',
    ],
    [
      'a status without an event',
      ({ events }) => ({ events: events.filter(({ id }) => id !== 'e2') }),
      'msg_1 (“one~”) has the history queued,sent',
    ],
    [
      'one request that made two messages',
      ({ shown: all }) => ({ shown: [...all, shown('msg_3', 'one~')] }),
      'rest: “one~” was accepted as [msg_1] and is shown as [msg_1,msg_3]',
    ],
    [
      'an event that the stream repeats',
      ({ events }) => ({ events: [...events, ...events.slice(0, 1)] }),
      'stream: message.received e1 came again',
    ],
    [
      'an event that a webhook did not take',
      ({ attempts }) => ({ attempts: attempts.filter(({ event }) => event.id !== 'e3') }),
      'webhook: message.status e3 was not taken by archive',
    ],
    [
      'an event that came before the one before was taken',
      ({ attempts }) => ({
        attempts: attempts.map((one) => (one.event.id === 'e2' ? { ...one, takenAt: 99 } : one)),
      }),
      'webhook: bot got message.status e3 before the one before was taken',
    ],
    [
      'an event with another body',
      ({ attempts }) => ({
        attempts: attempts.map((one, index) => (index === 1 ? { ...one, body: 'x' } : one)),
      }),
      'webhook: bot got e1 with another body',
    ],
    [
      'a message whose number says another order',
      ({ events }) => ({
        events: events.map((event) => (event.id === 'e1' ? received('e1', 'g1', 2) : event)),
      }),
      'message: g1 (“m1 hello”) has the number 2 instead of 1',
    ],
    [
      'a message that came to no application',
      ({ events, attempts }) => ({
        events: events.filter(({ id }) => id !== 'e1'),
        attempts: attempts.filter(({ event }) => event.id !== 'e1'),
      }),
      'message: g1 (“m1 hello”) is in no stream',
    ],
  ])('finds %s', ([, change, words]) => {
    const { intents, evidence } = flawless();
    const given = { ...evidence, ...change(evidence) };
    expect(judgeGateway(intents, given)).toContainEqual(expect.stringContaining(words));
  });

  test('accepts a text that may be lost where that is reported, and no other', () => {
    const { intents, evidence } = flawless(SENT.slice(1));
    const said = { shown: [shown('msg_1', 'one~', 'unknown'), shown('msg_2', 'two~')] };
    const events = evidence.events.map((event) =>
      event.id === 'e2' ? told('e2', 'msg_1', 'unknown') : event,
    );
    expect(judgeGateway(intents, { ...evidence, ...said, events })).toEqual([]);
  });
});
