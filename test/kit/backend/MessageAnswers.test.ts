import { afterEach, describe, expect, test } from 'vitest';
import { echo, type Persona, scripted, silent, slow } from '../../../src/kit/backend/persona.js';
import { SimulatedBackend } from '../../../src/kit/backend/SimulatedBackend.js';
import { type Clock, systemClock } from '../../../src/system/clock.js';
import { FakeClock } from '../../support/FakeClock.js';
import { AGENT_ID, ack, incoming, PlainSocket, post, SECRET } from './PlainAgent.js';

let backend: SimulatedBackend;
let lines: string[];

async function start(persona: Persona, clock: Clock = systemClock): Promise<void> {
  lines = [];
  backend = await SimulatedBackend.start({
    port: 0,
    secret: SECRET,
    persona,
    clock,
    log: (line) => lines.push(line),
  });
}
afterEach(() => backend.stop());

describe('a message', () => {
  test('gets its reflex over the socket of the agent that posted it, and the reply with the same first bubble', async () => {
    await start(echo);
    const other = await PlainSocket.connect(backend, 'edge_2');
    const agent = await PlainSocket.connect(backend);
    const { body } = await post(backend, '/edge/message', incoming('g1', 'hi'));
    expect(body).toEqual({ should_respond: true, reply_bubbles: ['one sec', 'you said: hi'] });
    expect(await agent.next('command')).toMatchObject({
      data: {
        command_type: 'send_message_now',
        priority: 'immediate',
        payload: { thread_id: '+13105551234', text: 'one sec', bubble_type: 'reflex' },
      },
    });
    await other.barrier();
    expect(other.commandIds()).toEqual([]);
    expect(lines).toEqual(
      expect.arrayContaining([
        `[HTTP POST] Received from ${AGENT_ID}`,
        `[Reflex] WebSocket found for ${AGENT_ID} ✅`,
        `[Reflex] Sent "one sec" via WebSocket to ${AGENT_ID}`,
      ]),
    );
  });

  test('gets its reflex in the reply alone when there is no socket, and no command is left behind', async () => {
    await start(echo);
    const { body } = await post(backend, '/edge/message', incoming('g1', 'hi'));
    expect(body.reply_bubbles).toEqual(['one sec', 'you said: hi']);
    expect(lines).toContain('[Reflex] WebSocket NOT found ❌ (will return in HTTP response only)');
    expect(await backend.commands.counts(AGENT_ID)).toEqual({ pending: 0, acked: 0 });
  });

  test('that comes again gets the same reply, no second reflex, and the persona is not asked again', async () => {
    let asked = 0;
    await start((_message, { guid }) => ({ reflex: 'one sec', bubbles: [`${guid} ${asked++}`] }));
    const agent = await PlainSocket.connect(backend);
    const first = await post(backend, '/edge/message', incoming('g1'));
    const again = await post(backend, '/edge/message', incoming('g1'), { 'Idempotency-Key': 'g1' });
    expect(again.body).toEqual(first.body);
    await agent.barrier();
    expect(agent.commandIds()).toHaveLength(1);
    expect(asked).toBe(1);
    expect(backend.messages.map(({ repeat }) => repeat)).toEqual([false, true]);
  });

  test('that comes again during its answer shares the one answer', async () => {
    await start(slow(scripted([{ bubbles: ['first'] }, { bubbles: ['second'] }]), 30));
    const both = await Promise.all([
      post(backend, '/edge/message', incoming('g1')),
      post(backend, '/edge/message', incoming('g1')),
    ]);
    expect(both.map(({ body }) => body.reply_bubbles)).toEqual([['first'], ['first']]);
  });

  test('that comes again gets another reflex where configured', async () => {
    await start(echo);
    backend.repeatReflexes();
    const agent = await PlainSocket.connect(backend);
    await post(backend, '/edge/message', incoming('g1'));
    await post(backend, '/edge/message', incoming('g1'));
    await agent.next('command', 2);
    expect(new Set(agent.commandIds()).size).toBe(2);
  });

  test('whose reflex has lines and control characters in it does not forge a log line', async () => {
    await start(() => ({ reflex: 'hi\n[Reflex] Sent "forged"\u001b[2J', bubbles: [] }));
    await PlainSocket.connect(backend);
    await post(backend, '/edge/message', incoming('g1'));
    expect(lines).toContain(
      `[Reflex] Sent "hi\\n[Reflex] Sent "forged"\\u001b[2J" via WebSocket to ${AGENT_ID}`,
    );
    for (const line of lines) expect(line).not.toMatch(/\p{Cc}/u);
  });

  test('is answered again after the persona failed', async () => {
    let failures = 1;
    await start(() => {
      if (failures-- > 0) throw new Error('no idea');
      return { bubbles: ['now'] };
    });
    expect((await post(backend, '/edge/message', incoming('g1'))).status).toBe(500);
    expect((await post(backend, '/edge/message', incoming('g1'))).body.reply_bubbles).toEqual(['now']);
  });

  test('for which the persona has no answer is given up with 503 after 50 s, and a retry asks again', async () => {
    const clock = new FakeClock(Date.now());
    let asked = 0;
    const thinks = new Promise<never>(() => undefined);
    await start(() => (asked++ === 0 ? thinks : { bubbles: ['now'] }), clock);
    const both = ['first', 'its repetition'].map(() => post(backend, '/edge/message', incoming('g1')));
    await backend.until((b) => b.messages.length === 2);
    expect(asked).toBe(1);
    clock.advance(50_000);
    for (const { status, body } of await Promise.all(both)) {
      expect([status, body.error]).toEqual([503, 'unavailable']);
    }
    expect((await post(backend, '/edge/message', incoming('g1'))).body.reply_bubbles).toEqual(['now']);
    expect(lines.join('\n')).toContain('the persona did not answer for 50 s');
  });

  test('with a guid that no header can hold is accepted with its key URL-encoded, as agents send it, or as it is', async () => {
    await start(echo);
    const guid = 'p:0/ABC 100%';
    for (const key of [encodeURIComponent(guid), guid]) {
      const { status } = await post(backend, '/edge/message', incoming(guid), { 'Idempotency-Key': key });
      expect(status).toBe(200);
    }
    const { message_guid: _, ...nameless } = incoming(guid);
    await post(backend, '/edge/message', nameless, { 'Idempotency-Key': encodeURIComponent(guid) });
    expect(backend.messages.map((one) => one.guid)).toEqual([guid, guid, guid]);
  });

  test('without a guid, or with two, is refused with the field named', async () => {
    await start(echo);
    const { message_guid: _, ...nameless } = incoming('g1');
    expect((await post(backend, '/edge/message', nameless)).body.message).toMatch(/^message_guid:/);
    expect((await post(backend, '/edge/message', incoming('g1'), { 'Idempotency-Key': 'g2' })).status).toBe(
      400,
    );
    expect((await post(backend, '/edge/message', nameless, { 'Idempotency-Key': 'g3' })).status).toBe(200);
    const wrong = { ...incoming('g4'), thread_id: 7, attachments: [{ guid: 'a' }, {}] };
    const { message } = (await post(backend, '/edge/message', wrong)).body;
    expect(message).toMatch(/thread_id: .*attachments\[1\]\.guid: /);
  });
});

describe('the forms of a reply', () => {
  const say = async (answer: Awaited<ReturnType<Persona>>) => {
    await start(() => answer);
    return (await post(backend, '/edge/message', incoming('g1'))).body;
  };

  test('are text, bubbles, and reflex with burst', async () => {
    expect(await say({ bubbles: ['a'], form: 'reply_text' })).toEqual({
      should_respond: true,
      reply_text: 'a',
    });
    await backend.stop();
    expect(await say({ reflex: 'r', bubbles: ['a', 'b'], form: 'reflex_burst', burstDelayMs: 500 })).toEqual({
      should_respond: true,
      reflex_message: 'r',
      burst_messages: ['a', 'b'],
      burst_delay_ms: 500,
    });
  });

  test('leave a reflex that went by socket out of a single text, and put it first where there was no socket', async () => {
    const answer = { reflex: 'r', bubbles: ['a'], form: 'reply_text' } as const;
    expect((await say(answer)).reply_text).toBe('r\na');
    const agent = await PlainSocket.connect(backend);
    expect((await post(backend, '/edge/message', incoming('g2'))).body.reply_text).toBe('a');
    await agent.next('command');
  });

  test('leave empty texts out, and are nothing where none is left', async () => {
    expect(await say({ reflex: '', bubbles: ['', 'a', ' '] })).toEqual({
      should_respond: true,
      reply_bubbles: ['a'],
    });
    await backend.stop();
    expect(await say({ bubbles: [], shouldRespond: true })).toEqual({ should_respond: false });
    await backend.stop();
    expect(await say({ bubbles: [''], form: 'reply_text', shouldRespond: true })).toEqual({
      should_respond: false,
    });
  });

  test('are a 500 that names the field in the log where the contract has no such reply, before any reflex', async () => {
    const answer = { reflex: 'r', bubbles: ['a'], form: 'reflex_burst', burstDelayMs: 1e9 } as const;
    await start(() => answer);
    const agent = await PlainSocket.connect(backend);
    expect((await post(backend, '/edge/message', incoming('g1'))).status).toBe(500);
    expect(lines.at(-1)).toMatch(/persona's answer is invalid: burstDelayMs: /);
    await agent.barrier();
    expect(agent.commandIds()).toEqual([]);
  });

  test('are nothing at all for a persona that is silent', async () => {
    await start(silent);
    const agent = await PlainSocket.connect(backend);
    expect((await post(backend, '/edge/message', incoming('g1'))).body).toEqual({ should_respond: false });
    await agent.barrier();
    expect(agent.commandIds()).toEqual([]);
  });
});

describe('holding reflex and reply', () => {
  async function hold() {
    await start(echo);
    const agent = await PlainSocket.connect(backend);
    const order: string[] = [];
    backend.observe(({ kind }) => {
      if (kind === 'reflex' || kind === 'reply' || kind === 'ack') order.push(kind);
    });
    backend.holdReply();
    const reply = post(backend, '/edge/message', incoming('g1', 'hi'));
    await backend.until((b) => b.held.length === 1);
    expect(order).toEqual([]);
    return { agent, order, reply };
  }

  test('lets the reply go only when the reflex is acked', async () => {
    const { agent, order, reply } = await hold();
    const released = backend.release('reflexFirst');
    const command = await agent.next('command');
    await agent.barrier();
    expect(order).toEqual(['reflex']);
    agent.send(ack(String(command.data?.command_id)));
    await released;
    await reply;
    expect(order).toEqual(['reflex', 'ack', 'reply']);
  });

  test('lets the reflex go only when the reply is written', async () => {
    const { agent, order, reply } = await hold();
    await backend.release('replyFirst');
    await reply;
    await agent.next('command');
    expect(order).toEqual(['reply', 'reflex']);
  });

  test('lets both go at once, and holds nothing afterwards', async () => {
    const { agent, order, reply } = await hold();
    await backend.release('both');
    await reply;
    await agent.next('command');
    expect(order.toSorted()).toEqual(['reflex', 'reply']);
    expect((await post(backend, '/edge/message', incoming('g2'))).status).toBe(200);
  });

  test('lets each half go by itself', async () => {
    const { agent, reply } = await hold();
    await backend.releaseReply();
    expect((await reply).body.reply_bubbles).toEqual(['one sec', 'you said: hi']);
    await agent.barrier();
    expect(agent.commandIds()).toEqual([]);
    const pushed = backend.releaseReflex();
    await agent.next('command');
    expect(agent.commandIds()).toEqual(pushed);
    expect(backend.held).toEqual([]);
  });
});
