import { describe, expect, onTestFinished, test } from 'vitest';
import { parseFrame, parseSyncReply } from '../../../src/backend/protocol.js';
import { mintToken } from '../../../src/gateway/agents/authentication.js';
import { parseReply } from '../../../src/incoming/reply.js';
import { silent } from '../../../src/kit/backend/persona.js';
import { SimulatedBackend } from '../../../src/kit/backend/SimulatedBackend.js';
import { ENDPOINTS } from '../../../src/kit/contracts/endpoints.js';
import { readClientFrame } from '../../../src/monitor/monitorFrames.js';
import { readServerFrame } from '../../../src/monitor-client/frames.js';
import { CommandRoom } from '../../docs/CommandRoom.js';
import { FakeClock } from '../../support/FakeClock.js';
import { AGENT_ID, freshToken, PHONE, PlainSocket, SECRET } from '../backend/PlainAgent.js';
import { at, contractsOnDisk, type Json, SchemaJudge } from './onDisk.js';

const files = contractsOnDisk();
const openapi = files['openapi.yaml'] ?? {};
const asyncapi = files['asyncapi.yaml'] ?? {};
const judge = new SchemaJudge(files);

async function start(): Promise<SimulatedBackend> {
  const backend = await SimulatedBackend.start({ port: 0, secret: SECRET, persona: silent });
  onTestFinished(() => backend.stop());
  return backend;
}

/** The name of a schema and the examples beside it, of the one kind of content that there is. */
function contentOf(place: unknown): { kind: string; name: string; values: unknown[] } {
  const [kind = '', media] = Object.entries((place as { content: Record<string, Json> }).content)[0] ?? [];
  const { schema, examples = {} } = media as { schema: Json; examples?: Record<string, { value: unknown }> };
  const [first] = (schema.allOf as Json[] | undefined) ?? [schema];
  const name = String(first?.$ref).replace('#/components/schemas/', '');
  return { kind, name, values: Object.values(examples).map(({ value }) => value) };
}

const operation = (path: string, method: string) =>
  at(openapi, `#/paths/${path.replaceAll('/', '~1')}/${method}`) as Json;

function asForm(fields: object): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.set(name, String(value));
  form.set('file', new Blob([Buffer.from('a photo')], { type: 'image/jpeg' }), 'photo.jpeg');
  return form;
}

describe.each(ENDPOINTS)('$method $path', ({ path, method, caller, reply, request }) => {
  const told = operation(path, method);
  const replies = contentOf((told.responses as Json)[200]);

  test('has examples that fit their schemas', () => {
    const asked = request === undefined ? [] : [contentOf(told.requestBody)];
    for (const { name, values } of [...asked, replies]) {
      expect(values.length, name).toBeGreaterThan(0);
      for (const value of values) expect(judge.mistakes(name, value), name).toEqual([]);
    }
    expect(replies.name).toBe(reply);
  });

  test('has examples that the reference backend accepts, and answers as the contract says', async () => {
    const backend = await start();
    const token = caller === 'operator' ? SECRET : freshToken();
    const asked = request === undefined ? { kind: '', values: [undefined] } : contentOf(told.requestBody);
    for (const value of asked.values) {
      const isForm = asked.kind === 'multipart/form-data';
      const body = value === undefined ? null : isForm ? asForm(value as object) : JSON.stringify(value);
      const response = await fetch(backend.url + path, {
        method,
        body,
        headers: {
          Authorization: `Bearer ${token}`,
          ...(caller === 'operator' ? {} : { 'X-Edge-Agent-Id': AGENT_ID, 'X-Edge-Protocol': '1' }),
          ...(isForm || body === null ? {} : { 'Content-Type': 'application/json' }),
        },
      });
      const answer: unknown = await response.json();
      expect([response.status, answer]).toEqual([200, expect.anything()]);
      expect(judge.mistakes(reply, answer)).toEqual([]);
    }
  });
});

describe('a reply in the contract', () => {
  const values = (path: string) => contentOf((operation(path, 'post').responses as Json)[200]).values;

  test('to a message is read by the agent as it is meant', () => {
    for (const value of values('/edge/message')) {
      const { should_respond, ...texts } = value as Json;
      const bubbles = Object.values(texts)
        .flat()
        .filter((text) => typeof text === 'string');
      expect(parseReply(value)).toMatchObject({ kind: 'reply', reply: { bubbles } });
      expect(bubbles.length > 0).toBe(should_respond);
    }
  });

  test('to a sync is read by the agent with nothing dropped', () => {
    for (const value of values('/edge/sync')) {
      const read = parseSyncReply(value);
      expect(read).toMatchObject({ dropped: 0 });
      for (const command of read?.commands ?? []) new CommandRoom().expectTaken(command);
    }
  });
});

describe('a refusal in the contract', () => {
  const ask = async (path: string, init: RequestInit, rate?: { perSecond: number; burst: number }) => {
    const backend = await SimulatedBackend.start({
      port: 0,
      secret: SECRET,
      persona: silent,
      rate,
      clock: new FakeClock(Date.now()),
    });
    onTestFinished(() => backend.stop());
    const send = () => fetch(backend.url + path, { method: 'POST', ...init });
    if (rate !== undefined) await send();
    const response = await send();
    return { status: response.status, body: (await response.json()) as unknown };
  };
  const known = { Authorization: `Bearer ${SECRET}`, 'X-Edge-Agent-Id': AGENT_ID };
  const forged = { ...known, Authorization: `Bearer ${mintToken('another', AGENT_ID, PHONE, 1)}` };
  const json = { ...known, 'Content-Type': 'application/json' };
  const noThread = JSON.stringify({ edge_agent_id: AGENT_ID, message: 'hi' });

  test.each([
    [400, '/api/send-message', { headers: json, body: noThread }, undefined],
    [401, '/edge/sync', {}, undefined],
    [403, '/edge/sync', { headers: forged }, undefined],
    [404, '/edge/nothing', {}, undefined],
    [405, '/edge/sync', { method: 'GET' }, undefined],
    [413, '/edge/sync', { headers: json, body: ' '.repeat(1024 * 1024 + 1) }, undefined],
    [415, '/photo/upload', { headers: json, body: '{}' }, undefined],
    [426, '/edge/ws', { method: 'GET' }, undefined],
    [429, '/health', { method: 'GET' }, { perSecond: 1, burst: 1 }],
  ] as const)('of %i is what the reference backend sends', async (status, path, init, rate) => {
    const { name, values } = contentOf(at(openapi, `#/components/responses/Refused${status}`));
    const answer = await ask(path, init, rate);
    expect(answer).toEqual({ status, body: values[0] });
    expect(judge.mistakes(name, answer.body)).toEqual([]);
  });
});

interface Message {
  name: string;
  payload: { $ref: string };
  examples: { name: string; payload: Json }[];
}
const messages = (asyncapi.components as { messages: Record<string, Message> }).messages;
const spoken = (operationId: string) =>
  (at(asyncapi, `#/operations/${operationId}/messages`) as { $ref: string }[]).flatMap(({ $ref }) => {
    const name = $ref.split('/').at(-1) ?? '';
    return (messages[name]?.examples ?? []).map(({ name: example, payload }) => ({ example, name, payload }));
  });

test('every frame of both channels has an example, under its own type, that fits its schema', () => {
  expect(Object.keys(messages)).toHaveLength(29);
  for (const [name, { examples, name: type }] of Object.entries(messages)) {
    expect(examples.length, name).toBeGreaterThan(0);
    for (const { payload } of examples) {
      expect(payload.type, name).toBe(type);
      expect(judge.mistakes(name, payload), name).toEqual([]);
    }
  }
});

test.each(spoken('edgeSend'))(
  'the reference backend accepts $example without a complaint',
  async ({ payload }) => {
    const backend = await start();
    const agent = await PlainSocket.connect(backend);
    agent.send(payload);
    await agent.barrier();
    expect(agent.frames.filter(({ type }) => type === 'error')).toEqual([]);
  },
);

test.each(spoken('edgeReceive'))('the agent understands $example', ({ payload }) => {
  const frame = parseFrame(JSON.stringify(payload));
  const notices = ['auth', 'error'];
  expect(frame.type).toBe(notices.includes(String(payload.type)) ? 'notice' : payload.type);
  if (frame.type === 'command') new CommandRoom().expectTaken(frame.command);
});

test.each(spoken('monitorReceive'))('the local channel reads $example', ({ payload }) => {
  expect(readClientFrame(JSON.stringify(payload))).toEqual({ kind: 'frame', frame: payload });
});

test.each(spoken('monitorSend'))('the client library reads $example', ({ payload }) => {
  expect(readServerFrame(JSON.stringify(payload))).toMatchObject(payload);
});
