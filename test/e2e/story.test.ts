import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { verifyCredentials } from '../../src/gateway/agents/authentication.js';
import { scripted } from '../../src/kit/backend/persona.js';
import { socketPath } from '../../src/operator/socketPath.js';
import { packageVersion } from '../../src/system/version.js';
import { AGENT_ID, EdgeWorld, OWN, PERSON, SECRET } from '../support/EdgeWorld.js';
import { FakeBackend } from '../support/FakeBackend.js';

const ANSWER = { reflex: 'okie lemme see', bubbles: ['found three of them', 'want the links?'] };
const TEXTS = ['okie lemme see', 'found three of them', 'want the links?'];
const QUESTION = 'where are my “keys”?\nasking for a friend 🔑';

describe('the story of the main job', { concurrent: true }, () => {
  test.for([13, 15, 26] as const)(
    'on macOS %i a message is posted completely, and reflex and reply are sent once and in order',
    async (version, context) => {
      const world = await EdgeWorld.open(context, { version, persona: scripted([ANSWER]) });
      await tellStory(world, version);
    },
  );

  test('a request has the agent’s identity, a fresh signed token and the idempotency key', async (context) => {
    const fake = await FakeBackend.start();
    context.onTestFinished(() => fake.stop());
    fake.on('/edge/register', { body: { edge_agent_id: AGENT_ID } });
    fake.on('/edge/message', { body: { should_respond: true, reply_text: 'hello yourself' } });
    fake.greetWith({ type: 'connected' });
    const world = await EdgeWorld.open(context, { settings: { 'backend.url': fake.url } });
    await world.start();
    const { guid } = world.mac.chatDb.receive({ from: PERSON, text: 'hello' });
    await world.sent(1);

    const [post] = fake.callsTo('/edge/message');
    expect(post?.headers).toMatchObject({
      'x-edge-agent-id': AGENT_ID,
      'x-edge-protocol': '1',
      'user-agent': `edge-agent/${packageVersion()}`,
      'idempotency-key': guid,
      'content-type': expect.stringContaining('application/json'),
    });
    const [handshake] = fake.handshakes;
    expect(handshake?.url).toBe(`/edge/ws?edge_agent_id=${AGENT_ID}`);
    for (const authorization of [post?.headers.authorization, handshake?.headers.authorization]) {
      const verdict = verifyCredentials(
        { authorization, agentId: AGENT_ID },
        { secret: SECRET, production: true, now: Date.now() },
      );
      expect(verdict).toMatchObject({ kind: 'accepted', by: 'hmac' });
    }
    expect(world.texts).toEqual(['hello yourself']);
  });

  test('a group is answered in the group, and a text in it names its sender', async (context) => {
    const world = await EdgeWorld.open(context, { version: 26, persona: scripted([ANSWER]) });
    const group = world.mac.chatDb.groupChat([PERSON, '+13105559876']);
    await world.start();
    world.mac.chatDb.receive({ from: PERSON, text: 'hi all', chat: group });
    await world.sent(3);
    expect(world.backend.messages[0]?.body).toMatchObject({
      thread_id: group.identifier,
      chat_guid: group.guid,
      sender: PERSON,
      is_group: true,
      mode: 'group',
    });
    expect(world.mac.sent().map(({ target }) => target)).toEqual([group.guid, group.guid, group.guid]);
    expect(world.texts).toEqual(TEXTS);
  });
});

async function tellStory(world: EdgeWorld, version: number): Promise<void> {
  const { backend, mac } = world;
  backend.holdReply();
  const daemon = await world.start();
  const date = Date.now() - 5_000;
  const { guid } = mac.chatDb.receive({ from: PERSON, text: QUESTION, date });
  await backend.until(() => backend.held.length === 1);
  expect(backend.messages.map(({ body }) => body)).toEqual([
    {
      message_guid: guid,
      sequence: 1,
      thread_id: PERSON,
      chat_guid: `${version === 26 ? 'any' : 'iMessage'};-;${PERSON}`,
      sender: PERSON,
      filtered_text: QUESTION,
      text: QUESTION,
      original_timestamp: new Date(date).toISOString(),
      timestamp: new Date(date).toISOString(),
      is_group: false,
      mode: 'direct',
      participants: [PERSON],
      service: 'iMessage',
      to: 'operator@example.com',
      was_redacted: false,
      redacted_fields: [],
    },
  ]);

  await backend.release('reflexFirst');
  await world.sent(3);
  const commandId = backend.journal.reflexes[0]?.commandId ?? 'no reflex was pushed';
  expect(await world.acked(commandId)).toMatchObject({
    status: 'completed',
    success: true,
    error: null,
    revision: 1,
    result: { outcome: 'sent', confirmed: true, retry_safe: false },
  });
  const { exitCode, snapshot } = await daemon.statusUntil(
    ({ snapshot: seen }) => seen?.acks_undelivered === 0 && seen.sends_queued === 0,
  );
  expect(exitCode).toBe(0);
  expect(snapshot).toMatchObject({
    state: 'healthy',
    problems: [],
    link: 'realtime',
    agent_id: AGENT_ID,
    pid: daemon.pid,
    incoming_queued: 0,
    sends_queued: 0,
    commands_waiting: 0,
    last_error: null,
  });
  expect(Date.parse(snapshot?.last_incoming_at ?? '')).toBeGreaterThan(date);
  expect(Date.parse(snapshot?.last_sent_at ?? '')).toBeGreaterThan(date);
  const screen = await world.cli('status');
  expect(screen).toMatchObject({ exitCode: 0, stderr: '' });
  expect(screen.stdout).toMatch(/^edge-agent \S+ {2}healthy/);
  expectPrivate(world);

  expect(await daemon.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  expect(world.texts).toEqual(TEXTS);
  expect(mac.sent().map(({ target }) => target)).toEqual(
    Array(3).fill(`${version === 26 ? 'any' : 'iMessage'};-;${PERSON}`),
  );
  await backend.until(({ journal }) => journal.disconnects.length > 0);
  expect(backend.journal.disconnects.map(({ code }) => code)).toEqual([1000]);
  expectLogOfTheSeeds(world, commandId);
  expectNothingConfidential(world);
}

/** The lines that `tail -f edge-agent.log | grep …` is to show, in the wording of the backend's documents. */
function expectLogOfTheSeeds(world: EdgeWorld, commandId: string): void {
  const lines = world.log();
  for (const line of lines) expect(line).toMatch(/^\[\d{4}-\d\d-\d\dT[\d:.]+Z\] \[(INFO|WARN|ERROR)\] \S/);
  const story = lines.filter((line) => /WebSocket|Command|HTTP polling/.test(line));
  expect(story.map((line) => line.replace(/^\[[^\]]+\] /, ''))).toEqual([
    `[INFO] Connecting to WebSocket: ${world.backend.webSocketUrl}?edge_agent_id=${AGENT_ID}`,
    '[INFO] ✅ WebSocket connected - real-time mode enabled',
    '[INFO] 🔌 WebSocket connected - real-time command delivery enabled',
    '[INFO] Command delivery: Real-time via WebSocket 🚀',
    '[INFO] HTTP polling paused - WebSocket active',
    `[INFO] 📥 Received command via WebSocket: ${commandId}`,
    `[INFO] ✅ Command ${commandId} executed successfully`,
    '[INFO] WebSocket closed',
  ]);
}

/** No secret, no token, no text and no full number; the agent's id, which holds one, is exempt. */
function expectNothingConfidential(world: EdgeWorld): void {
  const log = world.log().join('\n').replaceAll(AGENT_ID, '');
  for (const text of [
    SECRET,
    'Bearer',
    'keys',
    'friend',
    ...TEXTS,
    PERSON,
    PERSON.slice(1),
    OWN,
    OWN.slice(1),
  ]) {
    expect(log).not.toContain(text);
  }
  expect(log).not.toMatch(/[\w+/]{60,}={0,2}/);
}

/** Only the user can read the agent's files. */
function expectPrivate(world: EdgeWorld): void {
  const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);
  expect([world.state, mode(world.state)]).toEqual([world.state, '700']);
  expect(mode(socketPath(world.state))).toBe('600');
  const entries = readdirSync(world.state, { recursive: true, withFileTypes: true });
  expect(entries.length).toBeGreaterThan(3);
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    expect([path, mode(path)]).toEqual([path, entry.isDirectory() ? '700' : '600']);
  }
}
