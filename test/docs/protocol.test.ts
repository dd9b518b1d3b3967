import { describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { mintToken, requestHeaders } from '../../src/backend/credentials.js';
import {
  eventFrame,
  PING_FRAME,
  PONG_FRAME,
  parseCommand,
  parseFrame,
  parseSyncReply,
  syncBody,
} from '../../src/backend/protocol.js';
import { sendVerdict } from '../../src/commands/handlers/sendMessage.js';
import { judgeRemote } from '../../src/config/remoteSettings.js';
import { parseAgentFrame } from '../../src/gateway/agents/frames.js';
import { messageBody } from '../../src/incoming/messageBody.js';
import { parseReply } from '../../src/incoming/reply.js';
import { silent } from '../../src/kit/backend/persona.js';
import { SimulatedBackend } from '../../src/kit/backend/SimulatedBackend.js';
import type { AckBody, WireEvent } from '../../src/model/agentBodies.js';
import { ERROR_CODES } from '../../src/model/errorCodes.js';
import type { MessagePart } from '../../src/model/incoming.js';
import { FakeBackend } from '../support/FakeBackend.js';
import { AGENT_ID, makeBackend } from '../support/startBackend.js';
import { CommandRoom } from './CommandRoom.js';
import { liveWords } from './liveWords.js';
import { examplesIn, page } from './page.js';

const examples = examplesIn(page('docs/protocol.md'));
const SECRET = 'docs-secret';
const PHONE = '+13105550100';

/** All examples that are marked so, each with a name for the test. */
function marked(marker: string): { name: string; text: string; value: Record<string, unknown> }[] {
  return examples
    .filter((example) => example.marker === marker)
    .map(({ json }, index) => {
      const value = JSON.parse(json) as Record<string, unknown>;
      const kind = value.type ?? value.command_type ?? Object.keys(value)[0] ?? 'empty';
      return { name: `${String(kind)} (${index + 1})`, text: json, value };
    });
}

function one(marker: string): Record<string, unknown> {
  const [first, ...others] = marked(marker);
  if (first === undefined || others.length > 0) throw new Error(`expected one example of ${marker}`);
  return first.value;
}

const ackSchema = z.strictObject({
  command_id: z.string(),
  status: z.enum(['completed', 'failed']),
  success: z.boolean(),
  error: z.string().nullable(),
  completed_at: z.iso.datetime(),
  timestamp: z.iso.datetime(),
  revision: z.int().min(1),
  result: z.record(z.string(), z.unknown()).optional(),
}) satisfies z.ZodType<AckBody>;

/** Reads an ack and holds it to what the agent itself would have written for that outcome. */
function expectAck(value: unknown): void {
  const ack = ackSchema.parse(value);
  expect(ack.success).toBe(ack.status === 'completed');
  expect(ack.error === null).toBe(ack.success);
  expect(ack.timestamp).toBe(ack.completed_at);
  if (ack.error !== null) expect(Object.keys(ERROR_CODES)).toContain(ack.error.split(':')[0]);
  const result = z
    .looseObject({
      outcome: z.enum(['sent', 'unknown']).optional(),
      confirmed: z.boolean().default(true),
      message_guid: z.string().nullable().default(null),
      service: z.string().nullable().default(null),
      late: z.boolean().default(false),
      duplicate_of: z
        .object({
          command_id: z.string().nullable().default(null),
          in_reply_to: z.string().nullable().default(null),
          message_guid: z.string().nullable().default(null),
        })
        .optional(),
    })
    .parse(ack.result ?? {});
  if (result.outcome === undefined) return;
  const { confirmed, service, late, message_guid: guid, duplicate_of: of } = result;
  if (of !== undefined) {
    const duplicateOf = { commandId: of.command_id, answers: of.in_reply_to, guid: of.message_guid };
    expect(ack.result).toEqual(sendVerdict({ kind: 'deduplicated', late, duplicateOf }).result);
    return;
  }
  const words = ack.error?.replace('outcome_unknown: ', '').replace(/ It may still arrive.*$/, '') ?? '';
  const verdict = sendVerdict(
    result.outcome === 'sent'
      ? { kind: 'sent', confirmed, guid, service, late }
      : { kind: 'unknown', message: words },
  );
  expect(ack.result).toEqual(verdict.result);
  if (verdict.kind === 'failed') expect(ack.error).toBe(`${verdict.code}: ${verdict.message}`);
}

test('every block of JSON is labelled, and with a known kind', () => {
  expect(new Set(examples.map(({ marker }) => marker))).toEqual(
    new Set([
      'request: /edge/register',
      'reply: /edge/register',
      'frame: backend→edge',
      'frame: edge→backend',
      'command',
      'request: /edge/command/ack',
      'request: /edge/sync',
      'reply: /edge/sync',
      'request: /edge/message',
      'reply: /edge/message',
    ]),
  );
});

describe('a frame from the backend', () => {
  const frames = marked('frame: backend→edge');

  test.each(frames)('is understood: $name', ({ text, value }) => {
    const frame = parseFrame(text);
    const notices = ['auth', 'error'];
    expect(frame.type).toBe(notices.includes(String(value.type)) ? 'notice' : value.type);
    if (frame.type === 'command') new CommandRoom().expectTaken(frame.command);
    if (frame.type === 'config_update') expect(judgeRemote(frame.settings).refused).toEqual([]);
    if (frame.type === 'connected') expect(frame.accepts).toEqual(['event', 'status']);
    if (frame.type === 'notice') expect(frame.text).not.toBe('');
  });

  test('has an example of every type that the agent knows', () => {
    const types = new Set(frames.map(({ value }) => value.type));
    const known = ['connected', 'pong', 'ping', 'command', 'config_update', 'notification', 'auth', 'error'];
    expect(types).toEqual(new Set(known));
  });
});

describe('a frame from the agent', () => {
  const frames = marked('frame: edge→backend');

  test.each(frames)('is what the agent writes: $name', ({ value }) => {
    switch (value.type) {
      case 'ping':
        expect(value).toEqual(JSON.parse(PING_FRAME));
        break;
      case 'pong':
        expect(value).toEqual(JSON.parse(PONG_FRAME));
        break;
      case 'command_ack':
        expectAck(value.data);
        break;
      case 'event':
        expect(value).toEqual(JSON.parse(eventFrame(value.data as WireEvent)));
        break;
      default:
        expect(value.type).toBe('status');
    }
  });

  test.each(frames)('is understood by the reference backend: $name', ({ text, value }) => {
    expect(parseAgentFrame(text).kind).toBe(value.type);
  });

  test('has an example of every type that the agent writes', () => {
    const types = new Set(frames.map(({ value }) => value.type));
    expect(types).toEqual(new Set(['ping', 'pong', 'command_ack', 'event', 'status']));
  });
});

describe('a command', () => {
  const commands = marked('command');

  test.each(commands)('is accepted: $name', ({ value }) => {
    const command = parseCommand(value);
    if (command === undefined) throw new Error('no usable command_id');
    expect(command.fault).toBeNull();
    new CommandRoom().expectTaken(command);
  });

  test('has an example of every type that the agent knows', () => {
    const room = new CommandRoom();
    const shown = new Set(commands.map(({ value }) => String(value.command_type)));
    const missing = room.types.filter((type) => !shown.has(type) && type !== 'cancel_message');
    expect(missing).toEqual([]);
  });
});

describe('a request', () => {
  test('to sync is what the agent writes', () => {
    const body = one('request: /edge/sync');
    const acks = body.command_acks as AckBody[];
    for (const ack of acks) expectAck(ack);
    const { active_rules, ...status } = body.status as Record<string, unknown>;
    expect(active_rules).toBe(0);
    expect(body).toEqual(
      syncBody({
        agentId: AGENT_ID,
        lastCommandId: String(body.last_command_id),
        events: body.pending_events as WireEvent[],
        acks,
        status,
      }),
    );
  });

  test('to ack is what the agent writes', () => expectAck(one('request: /edge/command/ack')));

  test('to post a message is what the agent writes', () => {
    const body = one('request: /edge/message');
    const files = z
      .array(
        z.object({ guid: z.string(), mime_type: z.string(), filename: z.string(), size_bytes: z.number() }),
      )
      .parse(body.attachments);
    const message = {
      guid: String(body.message_guid),
      rowId: 1,
      conversation: String(body.thread_id),
      threadId: String(body.thread_id),
      chatGuid: String(body.chat_guid),
      sender: String(body.sender),
      text: String(body.text),
      parts: body.parts as MessagePart[],
      sentAt: Date.parse(String(body.timestamp)),
      isGroup: body.is_group === true,
      participants: body.participants as string[],
      service: String(body.service),
      to: String(body.to),
      replyToGuid: String(body.reply_to_guid),
      attachments: files.map((file) => ({
        guid: file.guid,
        mimeType: file.mime_type,
        filename: file.filename,
        sizeBytes: file.size_bytes,
      })),
    };
    expect(body).toEqual({
      ...messageBody(message, body.context as Record<string, unknown>),
      sequence: body.sequence,
    });
  });

  test('to register, to sync, and a status have the fields that the running agent sends', async () => {
    const live = await liveWords();
    const keys = (value: unknown) => Object.keys(value as object).toSorted();
    expect(keys(one('request: /edge/register'))).toEqual(keys(live.registration));
    expect(one('request: /edge/register').capabilities).toEqual(live.registration.capabilities);
    expect(keys(one('request: /edge/sync'))).toEqual(keys(live.sync));
    const frame = marked('frame: edge→backend').find(({ value }) => value.type === 'status');
    const status = frame?.value.data as Record<string, unknown>;
    expect(keys(status)).toEqual(keys(live.status));
    expect(keys(status.link_detail)).toEqual(keys(live.status.link_detail));
    const first = (of: Record<string, unknown>) => (of.problems as object[])[0];
    expect(keys(first(status))).toEqual(keys(first(live.status)));
  });

  test('is accepted by the reference backend', async () => {
    const backend = await SimulatedBackend.start({ port: 0, secret: SECRET, persona: silent });
    onTestFinished(() => backend.stop());
    for (const path of ['/edge/register', '/edge/sync', '/edge/command/ack', '/edge/message']) {
      const response = await fetch(`${backend.url}${path}`, {
        method: 'POST',
        headers: {
          ...requestHeaders(AGENT_ID, '0.1.0', mintToken(SECRET, AGENT_ID, PHONE, Date.now())),
          'Content-Type': 'application/json',
        },
        body: JSON.stringify(one(`request: ${path}`)),
      });
      expect([path, response.status, await response.json()]).toEqual([path, 200, expect.anything()]);
    }
  });
});

describe('a reply', () => {
  test('to a sync is understood, with nothing dropped', () => {
    const value = one('reply: /edge/sync');
    const reply = parseSyncReply(value);
    expect(reply).toMatchObject({ dropped: 0, ackEvents: value.ack_events, ackCommands: value.ack_commands });
    expect(reply?.commands).toHaveLength((value.commands as unknown[]).length);
    for (const command of reply?.commands ?? []) new CommandRoom().expectTaken(command);
    expect(judgeRemote(reply?.configUpdates ?? {})).toMatchObject({ refused: [], accepted: { size: 1 } });
  });

  test.each(marked('reply: /edge/message'))('to a message is understood: $name', ({ value }) => {
    const parsed = parseReply(value);
    if (parsed.kind === 'invalid') throw new Error(parsed.fault.detail);
    const said = [value.reflex_message, value.burst_messages, value.reply_bubbles, value.reply_text];
    expect(parsed.reply.bubbles).toEqual(said.flat().filter((text) => text !== undefined));
    expect(parsed.reply.delayMs).toBe(value.burst_delay_ms ?? null);
  });

  test('to a registration is understood and kept', async () => {
    const value = one('reply: /edge/register');
    const fake = await FakeBackend.start();
    fake.on('/edge/register', { body: value });
    const running = makeBackend(fake);
    onTestFinished(async () => {
      await running.stop();
      await fake.stop();
    });
    running.backend.start();
    await fake.until(() => running.backend.view().state === 'online', 'the link to be online');
    expect(JSON.parse(running.store.meta.get('backend.registration') ?? '')).toMatchObject({
      agentId: value.edge_agent_id,
      token: value.auth_token,
      accepts: value.accepts,
    });
  });
});
