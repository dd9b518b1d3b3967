import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileGate } from '../../src/attachments/FileGate.js';
import { StagingArea } from '../../src/attachments/StagedFiles.js';
import { Acks, Commands } from '../../src/commands/Commands.js';
import { scheduleMessage } from '../../src/commands/handlers/scheduleMessage.js';
import { requestVerdict, sendMessage } from '../../src/commands/handlers/sendMessage.js';
import { uploadRetry } from '../../src/commands/handlers/uploadRetry.js';
import { Scheduler } from '../../src/outgoing/Scheduler.js';
import { openDatabase } from '../../src/store/sqlite.js';
import { FakeClock } from '../support/FakeClock.js';
import { FakeMessages } from '../support/FakeMessages.js';
import { outboundBy } from '../support/outbound.js';
import { outgoingOn } from '../support/outgoingOn.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { temporaryDirectory, temporaryStore } from '../support/temporaryStore.js';

const ANN = '+13105551234';
const DATA = Buffer.from('a little picture').toString('base64');

async function room() {
  const clock = new FakeClock();
  const directory = temporaryDirectory();
  const store = temporaryStore(clock, directory);
  const messages = new FakeMessages();
  const log = new RecordingLog();
  const staging = new StagingArea(join(directory, 'edge-agent'));
  const door = new FileGate({
    ...{ staging, clock, log, outbound: outboundBy() },
    settings: () => ({ maxBytes: 1000, allowedRoots: [], allowPrivateAddresses: false }),
  });
  const acks = new Acks(store, clock);
  const outgoing = outgoingOn(store, messages, clock, { maxTextLength: 50 }, { log, fetcher: door });
  const scheduler = new Scheduler({
    ...{ store, texts: outgoing, acks, clock, log },
    settings: () => ({ maxLatenessMs: 3_600_000, acks: 'both' }),
  });
  const ports = {
    ...{
      texts: outgoing,
      schedule: scheduler,
      conversationKey: (threadId: string) => threadId,
      clock,
      files: door,
    },
    limits: () => ({ maxAgeMs: 3_600_000, reflexMaxAgeMs: 600_000, bubbleDelayMs: 800, maxTextLength: 50 }),
  };
  const again = (guid: string) =>
    (guid === 'at_0' ? 'queued' : guid === 'off' ? 'off' : 'unknown') as 'queued';
  const commands = new Commands(store, acks, log, [
    sendMessage(ports),
    scheduleMessage(ports),
    uploadRetry({ again }),
  ]);
  outgoing.onEnded((request) => {
    const verdict = requestVerdict(request.parts);
    commands.requestEnded(request, verdict);
    scheduler.textEnded(request, verdict);
  });
  await outgoing.start();
  scheduler.start();
  let count = 0;
  const receive = (payload: Record<string, unknown>, commandType = 'send_message_now') => {
    count += 1;
    const commandId = `cmd_${count}`;
    commands.receive(
      [{ commandId, commandType, payload, priority: 'normal', timestamp: null, fault: null }],
      'websocket',
    );
    return commandId;
  };
  const ack = (commandId: string) =>
    store.acks
      .after(0, 100)
      .map(({ body }) => body)
      .findLast((body) => body.command_id === commandId);
  const stagedCount = () => (existsSync(staging.root) ? readdirSync(staging.root).length : 0);
  return { clock, directory, store, messages, receive, ack, stagedCount };
}

describe('files with a text', () => {
  test('are staged and sent after it, and the ack reports every part', async () => {
    const { clock, messages, receive, ack } = await room();
    const id = receive({
      thread_id: ANN,
      text: 'look',
      attachments: [{ data_base64: DATA, filename: 'cat.png' }],
    });
    await messages.succeed();
    clock.advance(500);
    const { file } = messages.started[1] ?? {};
    expect(readFileSync(file ?? '', 'utf8')).toBe('a little picture');
    messages.addRow(ANN, '');
    messages.files.set(2, [{ name: 'cat.png', sizeBytes: 16 }]);
    expect(ack(id)).toBeUndefined();
    await messages.end({ kind: 'accepted' });
    expect(ack(id)).toMatchObject({
      status: 'completed',
      result: {
        outcome: 'sent',
        parts: [{ kind: 'text' }, { kind: 'file', filename: 'cat.png', outcome: 'sent' }],
      },
    });
  });

  test('may come without a text', async () => {
    const { messages, receive } = await room();
    for (const text of [undefined, null, '', '  '])
      receive({ thread_id: ANN, text, attachments: [{ data_base64: DATA }] });
    expect(messages.started).toMatchObject([{ text: '', file: expect.stringMatching(/\/attachment$/) }]);
  });

  test.each([
    ['nothing to send it from', [{ filename: 'x' }], /payload\.attachments\.0: expected exactly one of/],
    [
      'two sources',
      [{ url: 'https://x.example/', path: '/x' }],
      /payload\.attachments\.0: expected exactly one of/,
    ],
    [
      'a source of the wrong kind',
      [{ url: 7 }],
      /payload\.attachments\.0\.url: expected an https URL, found a number/,
    ],
    [
      'no object',
      ['x'],
      /payload\.attachments\.0: expected an object with url, data_base64 or path, found a string/,
    ],
    ['no list', 'x', /payload\.attachments: expected a list of files, found a string/],
    ['too many', Array.from({ length: 21 }, () => ({ data_base64: DATA })), /expected at most 20 files/],
    [
      'no https',
      [{ url: 'http://x.example/' }],
      /^attachment_refused: payload\.attachments\.0\.url: it is not an https URL/,
    ],
    [
      'a private address',
      [{ url: 'https://192.168.0.1/' }],
      /payload\.attachments\.0\.url: the host has an address/,
    ],
    ['a path without roots', [{ path: '/etc/passwd' }], /payload\.attachments\.0\.path: it is not below/],
    ['no base64', [{ data_base64: '%%%' }], /payload\.attachments\.0\.data_base64: it is not base64/],
  ])(
    'that name %s fail with the field named, and nothing is sent or staged',
    async (_, attachments, error) => {
      const { messages, receive, ack, stagedCount } = await room();
      const id = receive({ thread_id: ANN, text: 'look', attachments });
      expect(ack(id)).toMatchObject({ status: 'failed', error: expect.stringMatching(error) });
      expect(messages.started).toEqual([]);
      expect(stagedCount()).toBe(0);
    },
  );

  test('are all discarded if one is refused', async () => {
    const { receive, ack, stagedCount } = await room();
    const id = receive({ thread_id: ANN, attachments: [{ data_base64: DATA }, { data_base64: '%' }] });
    expect(ack(id)?.error).toContain('payload.attachments.1.data_base64');
    expect(ack(id)?.result).toEqual({ outcome: 'not_sent', retry_safe: true });
    expect(stagedCount()).toBe(0);
  });

  test('that are offered again are not staged again', async () => {
    const { store, receive, stagedCount } = await room();
    receive({ thread_id: ANN, attachments: [{ data_base64: DATA }] });
    expect(stagedCount()).toBe(1);
    store.write(() => undefined);
    expect(store.commands.find('cmd_1')).toBeDefined();
  });

  test('are not stored in the ledger of commands', async () => {
    const { directory, store, receive } = await room();
    receive({ thread_id: ANN, attachments: [{ data_base64: DATA, filename: 'cat.png' }] });
    store.close();
    const database = openDatabase(join(directory, 'edge-agent.db'), { readonly: true });
    const body = String(database.prepare('SELECT body FROM commands').pluck().get());
    database.close();
    expect(body).not.toContain(DATA);
    expect(body).toContain('(24 characters)');
  });

  test('and a text that is too long are not sent at all', async () => {
    const { messages, receive, ack } = await room();
    const id = receive({ thread_id: ANN, text: 'x'.repeat(51), attachments: [{ data_base64: DATA }] });
    expect(ack(id)?.error).toMatch(/^text_too_long: .* 50 characters/);
    expect(messages.started).toEqual([]);
  });
});

describe('files with a text for later', () => {
  test('are staged when they are scheduled and sent when they are due', async () => {
    const { clock, messages, receive, ack, store } = await room();
    const send_at = new Date(clock.now() + 60_000).toISOString();
    const id = receive(
      { thread_id: ANN, text: 'later', send_at, attachments: [{ data_base64: DATA, filename: 'cat.png' }] },
      'schedule_message',
    );
    expect(store.schedule.stagedFiles()).toHaveLength(1);
    clock.advance(60_000);
    await messages.succeed();
    clock.advance(500);
    expect(messages.started[1]?.file).toMatch(/\/cat\.png$/);
    messages.addRow(ANN, '');
    messages.files.set(2, [{ name: 'cat.png', sizeBytes: 16 }]);
    await messages.end({ kind: 'accepted' });
    expect(ack(id)).toMatchObject({
      revision: 2,
      result: { outcome: 'sent', schedule_id: expect.any(String), parts: [{}, {}] },
    });
    expect(store.schedule.stagedFiles()).toEqual([]);
  });

  test('are not kept when they are already too late', async () => {
    const { clock, receive, ack, stagedCount } = await room();
    const send_at = new Date(clock.now() - 86_400_000).toISOString();
    const id = receive({ thread_id: ANN, send_at, attachments: [{ data_base64: DATA }] }, 'schedule_message');
    expect(ack(id)?.error).toContain('too_late');
    expect(stagedCount()).toBe(0);
  });
});

describe('upload_retry', () => {
  test.each([
    ['at_0', 'completed', null],
    ['nobody', 'failed', 'attachment_unknown'],
    ['off', 'failed', 'attachment_refused'],
    ['', 'failed', 'invalid_payload'],
  ])('of "%s" is %s', async (guid, status, code) => {
    const { receive, ack } = await room();
    const id = receive({ attachment_guid: guid }, 'upload_retry');
    expect(ack(id)?.status).toBe(status);
    expect(ack(id)?.error?.split(':')[0] ?? null).toBe(code);
  });
});
