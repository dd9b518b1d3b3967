import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseFrame } from '../../../src/backend/protocol.js';
import { parsePayload } from '../../../src/commands/Handler.js';
import { CLOSE as EDGE_CLOSE } from '../../../src/gateway/agents/frames.js';
import { parseReply } from '../../../src/incoming/reply.js';
import { echo, replyBody, validAnswer } from '../../../src/kit/backend/persona.js';
import { SimulatedBackend } from '../../../src/kit/backend/SimulatedBackend.js';
import { COMMANDS } from '../../../src/kit/contracts/commands.js';
import { CLOSE as MONITOR_CLOSE } from '../../../src/monitor/Client.js';
import { liveWords } from '../../docs/liveWords.js';
import { page } from '../../docs/page.js';
import { MonitorWorld } from '../../support/MonitorWorld.js';
import { sized } from '../../support/size.js';
import { ack, incoming, PlainSocket, post, SECRET } from '../backend/PlainAgent.js';
import { at, contractsOnDisk, SchemaJudge } from './onDisk.js';

const contracts = contractsOnDisk();
const judge = new SchemaJudge(contracts);

/** Fields of payloads, each with values of which some fit and some do not. */
const FIELDS: Readonly<Record<string, readonly unknown[]>> = {
  thread_id: ['+13105551234', 7],
  chat_guid: ['iMessage;-;+13105551234', {}],
  text: ['hello', 7],
  message_text: ['hello'],
  message: ['hello', []],
  bubble_type: ['reflex', 'burst', 'loud'],
  in_reply_to: ['5AB627B5', 7],
  send_at: ['2026-12-24T09:00:00Z', 7],
  schedule_time: ['2026-12-24T09:00:00-08:00'],
  priority: ['high', 'urgent'],
  attachments: [[], [{ url: 'https://example.com/a.pdf' }], [7], 'a.pdf'],
  schedule_id: ['sched_1', 7],
  message_id: ['cmd_1'],
  status: ['pending', 'lost'],
  app_id: ['chess', 7],
  room_id: ['room_7', 7],
  state: ['active', 'paused'],
  metadata: [{ turn: 'x' }, 'x'],
  notify_text: ['your turn', 7],
  reason: ['over', 7],
  event_type: ['checkpoint', 7],
  event_data: [{ step: 3 }, 'x'],
  data: [{ step: 3 }, 7],
  attachment_guid: ['at_0_5AB627B5', 7],
};
const payloads = fc.record(
  Object.fromEntries(Object.entries(FIELDS).map(([name, values]) => [name, fc.constantFrom(...values)])),
  { requiredKeys: [] },
);

describe('a payload that the contract allows', () => {
  test.each(Object.entries(COMMANDS))(
    'as %s is one that the handler accepts',
    (name, { schema, aliases }) => {
      let allowed = 0;
      fc.assert(
        fc.property(payloads, (payload) => {
          if (judge.mistakes(name, payload).length > 0) return;
          allowed += 1;
          expect(parsePayload(schema, aliases, payload)).toMatchObject({ kind: 'ok' });
        }),
        { numRuns: sized(2_000, 5_000), seed: 8 },
      );
      expect(allowed).toBeGreaterThan(10);
    },
  );

  test.each(Object.entries(COMMANDS))(
    'as %s without what is required is allowed by neither',
    (name, command) => {
      const isAllowed = judge.mistakes(name, {}).length === 0;
      expect(isAllowed).toBe(parsePayload(command.schema, command.aliases, {}).kind === 'ok');
    },
  );
});

test('a command that the contract allows is understood by the agent, and one with a wrong payload is not allowed', () => {
  const command = {
    command_id: 'c',
    command_type: 'send_message_now',
    payload: { thread_id: '+1310', text: 'hi' },
  };
  const frame = { type: 'command', data: command };
  expect(judge.mistakes('CommandFrame', frame)).toEqual([]);
  expect(parseFrame(JSON.stringify(frame))).toMatchObject({ type: 'command', command: { fault: null } });
  const wrong = { ...frame, data: { ...command, payload: { text: 'hi' } } };
  expect(judge.mistakes('CommandFrame', wrong)).not.toEqual([]);
  expect(judge.mistakes('CommandFrame', { type: 'command', payload: command })).not.toEqual([]);
});

test('a reply that the contract allows is read by the agent in full', () => {
  const text = fc.string({ minLength: 1 }).filter((given) => /\w/.test(given));
  const replies = fc.oneof(
    fc.constant({ should_respond: false }),
    fc.record({ should_respond: fc.constant(true), reply_text: text }),
    fc.record({ should_respond: fc.constant(true), reply_bubbles: fc.array(text, { minLength: 1 }) }),
    fc.record(
      {
        should_respond: fc.constant(true),
        reflex_message: text,
        burst_messages: fc.array(text),
        burst_delay_ms: fc.nat(60_000),
      },
      { requiredKeys: ['should_respond', 'burst_messages'] },
    ),
  );
  fc.assert(
    fc.property(replies, (reply) => {
      expect(judge.mistakes('MessageReply', reply)).toEqual([]);
      const { should_respond, ...rest } = reply;
      const said = Object.values(rest)
        .flat()
        .filter((one) => typeof one === 'string');
      expect(parseReply(reply)).toMatchObject({ kind: 'reply', reply: { bubbles: said } });
    }),
    { numRuns: sized(100, 1_000), seed: 8 },
  );
});

test('whatever a persona returns, the reply made from it is one that the contract allows', () => {
  const text = fc.constantFrom('', ' ', 'hello', 'two\nlines');
  const answers = fc.record(
    {
      bubbles: fc.array(text, { maxLength: 3 }),
      reflex: text,
      form: fc.constantFrom('reply_text', 'reply_bubbles', 'reflex_burst'),
      burstDelayMs: fc.nat(60_000),
      shouldRespond: fc.boolean(),
    },
    { requiredKeys: ['bubbles'] },
  );
  fc.assert(
    fc.property(answers, fc.boolean(), (answer, reflexBySocket) => {
      const reply: unknown = JSON.parse(JSON.stringify(replyBody(validAnswer(answer), reflexBySocket)));
      expect(judge.mistakes('MessageReply', reply)).toEqual([]);
      expect(parseReply(reply).kind).toBe('reply');
    }),
    { numRuns: sized(150, 1_500), seed: 8 },
  );
});

test('what a running agent sends fits the contract', async () => {
  const { registration, sync, status } = await liveWords();
  expect(judge.mistakes('RegisterRequest', registration)).toEqual([]);
  expect(judge.mistakes('SyncRequest', sync)).toEqual([]);
  expect(judge.mistakes('Status', status)).toEqual([]);
});

test('what the reference backend sends on a socket fits the contract', async () => {
  const backend = await SimulatedBackend.start({ port: 0, secret: SECRET, persona: echo });
  onTestFinished(() => backend.stop());
  const agent = await PlainSocket.connect(backend);
  await post(backend, '/edge/message', incoming('g'));
  backend.pushConfigUpdate({ 'logging.level': 'debug' });
  agent.send('{"type":"dance"}');
  agent.send(ack('unknown'));
  await agent.barrier();
  const names: Readonly<Record<string, string>> = {
    connected: 'ConnectedFrame',
    command: 'CommandFrame',
    config_update: 'ConfigUpdateFrame',
    error: 'ErrorFrame',
    pong: 'BackendPong',
  };
  expect(agent.frames.map(({ type }) => type)).toEqual(Object.keys(names));
  for (const frame of agent.frames) expect(judge.mistakes(names[frame.type] ?? '', frame)).toEqual([]);
});

test('what a running agent sends on its local channel fits the contract', async (context) => {
  const world = await MonitorWorld.open(context, { verbs: { echo: (input) => input } });
  const known = await world.operator('ann');
  const stranger = await world.connect();
  known.say({ type: 'subscribe', data: { topics: ['commands'] } });
  known.say({ type: 'user_presence', data: 'busy' });
  known.say({ type: 'request', data: { id: '1', verb: 'echo', args: {} } });
  known.say({ type: 'request', data: { id: '2', verb: 'none', args: {} } });
  known.say({ type: 'dance' });
  await known.heard('snapshot');
  world.server.publish(
    { topic: 'commands', commandId: 'c', commandType: 'kick', stage: 'received' },
    Date.now(),
  );
  world.server.sendNotification('warning', 'careful');
  world.server.broadcastChatMessage({
    conversationId: '+13105551234',
    messageId: 'm',
    content: 'hello',
    sender: 'ann',
    timestamp: new Date().toISOString(),
  });
  await known.heard('chat_message');
  await stranger.caughtUp();
  await known.caughtUp();
  const names: Readonly<Record<string, string>> = {
    auth: 'MonitorAuth',
    agent_status: 'MonitorAgentStatus',
    user_presence: 'MonitorPresenceTold',
    response: 'MonitorResponse',
    error: 'MonitorError',
    event: 'MonitorEvent',
    notification: 'MonitorNotification',
    chat_message: 'MonitorChatMessage',
    pong: 'MonitorServerPong',
  };
  // The status in the snapshot of this world is not an agent's; that of an agent is held to its schema above.
  const heard = [...known.frames, ...stranger.frames].filter(({ type }) => type !== 'snapshot');
  expect(new Set(heard.map(({ type }) => type))).toEqual(new Set(Object.keys(names)));
  for (const frame of heard) expect(judge.mistakes(names[frame.type] ?? '', frame)).toEqual([]);
});

describe('the documented behaviour', () => {
  type Paths = Record<string, Partial<Record<'get' | 'post', { responses: object }>>>;
  const paths = at(contracts['openapi.yaml'] ?? {}, '#/paths') as Paths;
  const asyncapi = contracts['asyncapi.yaml'] ?? {};
  const closeCodes = (channel: string) =>
    (at(asyncapi, `#/channels/${channel}/x-close-codes`) as { code: number }[]).map(({ code }) => code);
  const protocol = page('docs/protocol.md');
  /** The first cells of the rows of the table with this header. */
  const rows = (header: string) => {
    const [, table = ''] = protocol.split(`| ${header} | the agent |\n|---|---|\n`);
    const [body = ''] = table.split('\n\n');
    return body.split('\n').map((row) => row.split('|')[1] ?? '');
  };
  const numbersIn = (cells: readonly string[]) =>
    cells.flatMap((cell) => cell.match(/\b[1-9]\d{2,3}\b/g) ?? []).map(Number);

  test('of a socket has its close code in the contract, and so has every code that closes one', () => {
    const documented = numbersIn(rows('the socket ends with')).filter((code) => code >= 1000);
    expect(documented).toContain(4409);
    expect(closeCodes('edge')).toEqual(expect.arrayContaining([...documented, ...Object.values(EDGE_CLOSE)]));
    expect(closeCodes('monitor')).toEqual(expect.arrayContaining(Object.values(MONITOR_CLOSE)));
  });

  test('of a request has its status in the contract', () => {
    const told = (path: string, method: 'get' | 'post' = 'post') =>
      Object.keys(paths[path]?.[method]?.responses ?? {}).map(Number);
    expect(told('/edge/register')).toEqual(expect.arrayContaining(numbersIn(rows('answer').slice(0, 2))));
    expect(told('/edge/message')).toEqual(expect.arrayContaining([400, 401, 403, 409, 413, 415, 422, 429]));
    expect(told('/photo/upload')).toEqual(expect.arrayContaining([400, 409, 413, 415, 422]));
    expect(told('/edge/ws', 'get')).toEqual(expect.arrayContaining([401, 403, 404, 426, 429]));
  });
});
