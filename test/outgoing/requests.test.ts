import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { requestVerdict } from '../../src/commands/handlers/sendMessage.js';
import type { TextRequest } from '../../src/model/sending.js';
import type { RequestEnd } from '../../src/outgoing/OutcomeRecorder.js';
import type { OutgoingSettings } from '../../src/outgoing/Outgoing.js';
import type { FetchedFile } from '../../src/outgoing/ports.js';
import type { Store } from '../../src/store/Store.js';
import { FakeClock } from '../support/FakeClock.js';
import { FakeMessages } from '../support/FakeMessages.js';
import { outgoingOn } from '../support/outgoingOn.js';
import { temporaryDirectory, temporaryStore } from '../support/temporaryStore.js';

const ANN = '+13105551234';

/** Files arrive when the test says so. */
class HeldFiles {
  readonly asked: { url: string; name: string; stop: AbortSignal; end: (file: FetchedFile) => void }[] = [];

  fetch(url: string, name: string, stop: AbortSignal): Promise<FetchedFile> {
    return new Promise((resolve) => {
      stop.addEventListener('abort', () => resolve({ kind: 'stopped' }));
      this.asked.push({ url, name, stop, end: resolve });
    });
  }

  async end(index: number, file: FetchedFile): Promise<void> {
    this.asked[index]?.end(file);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function world(options: { store?: Store; settings?: Partial<OutgoingSettings> } = {}) {
  const clock = new FakeClock();
  const directory = temporaryDirectory();
  const store = options.store ?? temporaryStore(clock, directory);
  const messages = new FakeMessages();
  const files = new HeldFiles();
  const settings = { maxTextLength: 20, ...options.settings };
  const make = () => outgoingOn(store, messages, clock, settings, { fetcher: files });
  const ends: RequestEnd[] = [];
  const outgoing = make();
  outgoing.onEnded((end) => ends.push(end));
  await outgoing.start();
  const send = (id: string, request: Partial<TextRequest> = {}) =>
    store.write(() =>
      outgoing.enqueue({
        id,
        conversation: ANN,
        threadId: ANN,
        text: id,
        role: 'message',
        priority: 2,
        pauseMs: 0,
        commandId: id,
        ...request,
      }),
    );
  const staged = (name: string, content = name) => {
    const path = join(directory, 'staged', String(Math.random()).slice(2), name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return path;
  };
  /** The file on its way is in chat.db: a row without text that has it. */
  const arrive = async (name: string, sizeBytes = 0) => {
    messages.addRow(ANN, '');
    messages.files.set(messages.rows.at(-1)?.rowId ?? 0, [{ name, sizeBytes }]);
    await messages.end({ kind: 'accepted' });
  };
  /** Lets the pause between two parts pass. */
  const pause = () => clock.advance(500);
  return { clock, store, messages, files, outgoing, ends, send, staged, arrive, pause, settings, make };
}

describe('a request of several parts', () => {
  test('whose text fails with its duplicate ends once, as not sent and not safe to repeat', async () => {
    const { clock, messages, ends, send, staged } = await world();
    send('m1:0', { text: 'ok', role: 'first', answers: 'm1' });
    await messages.succeed(ANN, 22);
    clock.advance(10_001);
    const files = [{ path: staged('a.jpg'), name: 'a.jpg' }];
    send('r1', { text: 'ok', role: 'reflex', answers: 'm1', files });
    clock.advance(1_000);
    expect(messages.texts).toEqual(['ok']);
    const verdicts = ends
      .filter(({ commandId }) => commandId === 'r1')
      .map(({ parts }) => requestVerdict(parts));
    expect(verdicts).toMatchObject([{ kind: 'failed', result: { outcome: 'not_sent', retry_safe: false } }]);
  });

  test('is sent as its text, then its files, each a send of its own; it has ended when all have', async () => {
    const { messages, ends, send, staged, arrive, pause, store } = await world();
    const first = staged('a.jpg');
    const second = staged('b.pdf');
    send('cmd', {
      text: 'look',
      files: [
        { name: 'a.jpg', path: first },
        { name: 'b.pdf', path: second },
      ],
    });
    send('next');
    await messages.succeed();
    pause();
    await arrive('a.jpg');
    pause();
    expect(ends).toEqual([]);
    await arrive('b.pdf');
    expect(messages.started.map(({ text, file }) => file ?? text)).toEqual(['look', first, second, 'next']);
    expect(ends).toMatchObject([
      { commandId: 'cmd', parts: [{ file: null }, { file: 'a.jpg' }, { file: 'b.pdf' }] },
    ]);
    expect(requestVerdict(ends[0]?.parts ?? [])).toMatchObject({
      kind: 'completed',
      result: {
        outcome: 'sent',
        retry_safe: false,
        confirmed: true,
        message_guid: 'row-1',
        parts: [
          { kind: 'text', outcome: 'sent', message_guid: 'row-1' },
          { kind: 'file', filename: 'a.jpg', message_guid: 'row-2' },
          { kind: 'file', filename: 'b.pdf', message_guid: 'row-3' },
        ],
      },
    });
    expect(store.sends.findById('cmd:3')).toMatchObject({ partOf: 'cmd', part: 3, state: 'sent' });
  });

  test('is not enqueued twice', async () => {
    const { messages, send, staged } = await world();
    const files = [{ name: 'a.jpg', path: staged('a.jpg') }];
    send('cmd', { files });
    send('cmd', { files });
    await messages.succeed();
    expect(messages.started).toHaveLength(1);
  });

  test('of a file alone is one send under the plain id', async () => {
    const { messages, send, staged, ends, arrive } = await world();
    send('cmd', { text: '', files: [{ name: 'a.jpg', path: staged('a.jpg') }] });
    await arrive('a.jpg');
    expect(messages.started).toMatchObject([{ text: '' }]);
    expect(ends).toMatchObject([{ parts: [{ file: 'a.jpg', outcome: { kind: 'sent' } }] }]);
  });

  test('that was sent in part must not be sent again as a whole', async () => {
    const { messages, send, staged, ends, pause } = await world();
    send('cmd', { text: 'look', files: [{ name: 'a.jpg', path: staged('a.jpg') }] });
    await messages.succeed();
    pause();
    await messages.end({ kind: 'notStarted', errorCode: 'send_refused', message: 'no', retry: 'never' });
    expect(requestVerdict(ends[0]?.parts ?? [])).toMatchObject({
      kind: 'failed',
      code: 'send_refused',
      message: 'Part 2 of 2: no',
      result: {
        outcome: 'partly_sent',
        retry_safe: false,
        parts: [{ outcome: 'sent' }, { outcome: 'not_sent', error: 'send_refused: no' }],
      },
    });
  });

  test('of which the first cannot be sent is not sent at all: no one gets a text without its beginning', async () => {
    const { messages, send, staged, ends, store } = await world({ settings: { splitLongTexts: true } });
    send('cmd', {
      text: 'one two three four five six seven',
      files: [{ name: 'a.jpg', path: staged('a.jpg') }],
    });
    send('next');
    await messages.end({
      kind: 'notStarted',
      errorCode: 'automation_denied',
      message: 'no',
      retry: 'never',
    });
    await messages.succeed();
    expect(messages.texts).toEqual(['one two three four', 'next']);
    expect(ends.map(({ commandId }) => commandId)).toEqual(['cmd', 'next']);
    expect(requestVerdict(ends[0]?.parts ?? [])).toMatchObject({
      kind: 'failed',
      code: 'automation_denied',
      message: 'Part 1 of 3: no',
      result: {
        outcome: 'not_sent',
        retry_safe: true,
        parts: [
          { outcome: 'not_sent' },
          { outcome: 'not_sent', error: 'automation_denied: Not sent, because part 1 could not be: no' },
          { outcome: 'not_sent', filename: 'a.jpg' },
        ],
      },
    });
    expect(store.sends.countOpen()).toBe(0);
  });

  test('continues after a part that failed once something of it was sent', async () => {
    const { messages, send, ends, pause } = await world({ settings: { splitLongTexts: true } });
    send('cmd', { text: 'one two three four five six seven eight nine ten' });
    await messages.succeed();
    pause();
    await messages.end({ kind: 'notStarted', errorCode: 'send_refused', message: 'no', retry: 'never' });
    pause();
    await messages.succeed();
    expect(messages.texts).toHaveLength(3);
    expect(requestVerdict(ends[0]?.parts ?? [])).toMatchObject({ result: { outcome: 'partly_sent' } });
  });

  test('is not safe to repeat if Messages has the row of a part that it failed, and corrected if it sends that later', async () => {
    const { clock, messages, outgoing, send, staged, ends } = await world();
    send('cmd', { text: 'look', files: [{ name: 'a.jpg', path: staged('a.jpg') }] });
    await messages.succeed(ANN, 22);
    clock.advance(10_001);
    expect(requestVerdict(ends[0]?.parts ?? [])).toMatchObject({
      code: 'not_delivered',
      result: { outcome: 'not_sent', retry_safe: false, parts: [{ message_guid: 'row-1' }, {}] },
    });
    Object.assign(messages.rows[0] ?? {}, { error: 0, isDelivered: true });
    outgoing.chatChanged();
    expect(requestVerdict(ends.at(-1)?.parts ?? [])).toMatchObject({
      result: {
        outcome: 'partly_sent',
        retry_safe: false,
        parts: [{ outcome: 'sent' }, { outcome: 'not_sent' }],
      },
    });
  });

  test('is unknown if one part is, and is reported again when that part turns up', async () => {
    const { clock, messages, outgoing, send, staged, ends, pause, arrive } = await world();
    send('cmd', { text: 'look', files: [{ name: 'a.jpg', path: staged('a.jpg') }] });
    await messages.end({ kind: 'accepted' });
    clock.advance(10_001);
    pause();
    await arrive('a.jpg');
    expect(requestVerdict(ends[0]?.parts ?? [])).toMatchObject({
      code: 'outcome_unknown',
      result: { retry_safe: false },
    });
    messages.addRow(ANN, 'look');
    outgoing.chatChanged();
    expect(ends).toHaveLength(2);
    expect(requestVerdict(ends[1]?.parts ?? [])).toMatchObject({
      kind: 'completed',
      result: { outcome: 'sent' },
    });
  });
});

describe('the row of a file', () => {
  test('is recognised by its size where Messages gave it another name, and by nothing else', async () => {
    const { messages, send, staged, ends, clock, outgoing } = await world();
    send('cmd', { text: '', files: [{ name: 'a.heic', path: staged('a.heic', 'twelve bytes') }] });
    messages.addRow(ANN, '');
    messages.files.set(1, [{ name: 'other.jpg', sizeBytes: 7 }]);
    await messages.end({ kind: 'accepted' });
    expect(ends).toHaveLength(0);
    messages.addRow(ANN, '');
    messages.files.set(2, [{ name: 'renamed.jpg', sizeBytes: 12 }]);
    outgoing.chatChanged();
    expect(ends).toMatchObject([{ parts: [{ outcome: { guid: 'row-2' } }] }]);
    clock.advance(0);
  });

  test('may come before its file is joined, and is waited for three times as long as that of a text', async () => {
    const { messages, send, staged, ends, clock, outgoing } = await world();
    send('cmd', { text: '', files: [{ name: 'a.jpg', path: staged('a.jpg') }] });
    messages.addRow(ANN, '');
    await messages.end({ kind: 'accepted' });
    clock.advance(29_000);
    expect(ends).toHaveLength(0);
    messages.files.set(1, [{ name: 'a.jpg', sizeBytes: 0 }]);
    outgoing.chatChanged();
    expect(ends).toMatchObject([{ parts: [{ outcome: { kind: 'sent' } }] }]);
  });
});

describe('a file that must be fetched', () => {
  const remote = { name: 'menu.pdf', url: 'https://example.com/menu.pdf' };

  test('holds the place of its request: nothing of it is sent before, nor what comes after it', async () => {
    const { messages, files, send, staged, store, pause, arrive } = await world();
    send('cmd', { text: 'look', files: [remote] });
    send('next');
    expect(messages.texts).toEqual([]);
    expect(store.sends.findById('cmd:1')).toMatchObject({ state: 'staging' });
    const path = staged('menu.pdf');
    await files.end(0, { kind: 'fetched', path });
    await messages.succeed();
    pause();
    await arrive('menu.pdf');
    expect(messages.started.map(({ text, file }) => file ?? text)).toEqual(['look', path, 'next']);
  });

  test('lets its request be sent although its group has got another key meanwhile', async () => {
    const { store, messages, files, send, staged } = await world();
    send('cmd', { text: 'look', files: [remote] });
    store.write(() => store.rekey(new Map([[ANN, 'one group']]), (_, text) => text));
    await files.end(0, { kind: 'fetched', path: staged('menu.pdf') });
    expect(messages.texts).toEqual(['look']);
  });

  test('does not delay other conversations', async () => {
    const { messages, send } = await world();
    send('cmd', { text: 'look', files: [remote] });
    send('bob', { conversation: 'b@example.com', threadId: 'b@example.com' });
    expect(messages.texts).toEqual(['bob']);
  });

  test('that cannot be had fails its request, of which nothing is sent; the next one continues', async () => {
    const { messages, files, send, ends, staged } = await world();
    send('cmd', { text: 'look', files: [{ name: 'a.jpg', path: staged('a.jpg') }, remote] });
    send('next');
    await files.end(0, { kind: 'failed', errorCode: 'attachment_refused', message: 'it is larger.' });
    expect(messages.texts).toEqual(['next']);
    expect(requestVerdict(ends[0]?.parts ?? [])).toMatchObject({
      code: 'attachment_refused',
      message: 'Part 1 of 3: payload.attachments.1.url: it is larger.',
      result: { outcome: 'not_sent', retry_safe: true },
    });
  });

  test('is fetched again by the next run', async () => {
    const { clock, store, outgoing, files, send, messages, make, staged } = await world();
    send('cmd', { text: 'look', files: [remote] });
    void outgoing.drain();
    outgoing.stop();
    await new Promise((resolve) => setImmediate(resolve));
    expect(files.asked[0]?.stop.aborted).toBe(true);
    expect(store.sends.findById('cmd:2')).toMatchObject({ state: 'staging' });
    const again = make();
    await again.start();
    expect(files.asked).toHaveLength(2);
    await files.end(1, { kind: 'fetched', path: staged('menu.pdf') });
    expect(messages.texts).toEqual(['look']);
    again.stop();
    clock.advance(0);
  });
});

describe('a text above the limit', () => {
  const long = 'one two three four five six seven';

  test('is refused with the limit named, and none of its files is sent', async () => {
    const { messages, send, ends, staged } = await world();
    send('cmd', { text: long, files: [{ name: 'a.jpg', path: staged('a.jpg') }] });
    expect(messages.started).toEqual([]);
    expect(ends).toMatchObject([{ parts: [{ outcome: { kind: 'failed', errorCode: 'text_too_long' } }] }]);
  });

  test('is sent in numbered parts where configured', async () => {
    const { messages, send, ends, store, pause } = await world({ settings: { splitLongTexts: true } });
    send('cmd', { text: long });
    await messages.succeed();
    pause();
    await messages.succeed();
    expect(messages.texts).toEqual(['one two three four', 'five six seven']);
    expect(ends).toHaveLength(1);
    expect(store.sends.findById('cmd:2')).toMatchObject({ state: 'sent', partOf: 'cmd' });
  });

  test('is still refused as a reflex, which is recognised by its text, and above a hundred parts', async () => {
    const { messages, send } = await world({ settings: { splitLongTexts: true } });
    send('reflex', { text: long, role: 'reflex' });
    send('novel', { text: 'x'.repeat(20 * 101) });
    expect(messages.texts).toEqual([]);
  });
});
