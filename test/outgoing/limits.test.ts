import { describe, expect, test } from 'vitest';
import type { SendTarget, TextRequest } from '../../src/model/sending.js';
import type { OutgoingSettings } from '../../src/outgoing/Outgoing.js';
import type { Store } from '../../src/store/Store.js';
import { FakeClock } from '../support/FakeClock.js';
import { FakeMessages } from '../support/FakeMessages.js';
import { outgoingOn } from '../support/outgoingOn.js';
import { temporaryStore } from '../support/temporaryStore.js';

const CHAT: SendTarget = { form: 'chat', address: 'iMessage;-;x', accountId: null };
const PERSON: SendTarget = { form: 'participant', address: 'x', accountId: null };
const SMS: SendTarget = { form: 'sms', address: 'x', accountId: null };
const REFUSED = {
  kind: 'notStarted',
  errorCode: 'send_refused',
  message: 'refused',
  retry: 'fallback',
} as const;

/** Messages, with a chat for those that `known` has. */
class Acquaintances extends FakeMessages {
  readonly known = new Set<string>();

  override targets(conversation?: string): readonly SendTarget[] {
    return this.known.has(conversation ?? '') ? [CHAT, PERSON] : [PERSON];
  }
}

function messageFrom(sender: string) {
  return {
    guid: `from ${sender}`,
    rowId: 1,
    conversation: sender,
    threadId: sender,
    chatGuid: `iMessage;-;${sender}`,
    sender,
    text: 'hi',
    sentAt: 0,
    isGroup: false,
    participants: [sender],
    service: 'iMessage',
    replyToGuid: null,
    attachments: [],
  };
}

async function world(settings: Partial<OutgoingSettings>, before?: { store: Store; clock: FakeClock }) {
  const clock = before?.clock ?? new FakeClock();
  const store = before?.store ?? temporaryStore(clock);
  const messages = new Acquaintances();
  const outgoing = outgoingOn(store, messages, clock, settings);
  await outgoing.start();
  const send = (to: string, text = to, more: Partial<TextRequest> = {}) =>
    store.write(() =>
      outgoing.enqueue({
        id: `${to} ${text}`,
        conversation: to,
        threadId: to,
        text,
        role: 'message',
        priority: 2,
        pauseMs: 0,
        ...more,
      }),
    );
  const succeed = async (to: string) => {
    messages.addRow(to, messages.started.at(-1)?.text ?? '');
    await messages.end({ kind: 'accepted' });
  };
  return { clock, store, messages, outgoing, send, succeed };
}

describe('people whom chat.db does not know', () => {
  test('get a limited number of texts an hour; the others wait and none is dropped', async () => {
    const { clock, messages, outgoing, send, succeed } = await world({ maxNewRecipientsPerHour: 2 });
    for (const to of ['a', 'b', 'c']) send(to);
    await succeed('a');
    await succeed('b');
    expect(messages.texts).toEqual(['a', 'b']);
    expect(outgoing.held()).toEqual({ newRecipients: 1, perMinute: 0 });
    clock.advance(3_599_000);
    expect(messages.texts).toEqual(['a', 'b']);
    clock.advance(2_000);
    expect(messages.texts).toEqual(['a', 'b', 'c']);
    expect(outgoing.held()).toEqual({ newRecipients: 0, perMinute: 0 });
  });

  test('do not delay known people, nor a second text to one of them', async () => {
    const { messages, send, succeed } = await world({ maxNewRecipientsPerHour: 1 });
    messages.known.add('friend');
    send('a');
    send('b');
    send('friend');
    send('a', 'again');
    await succeed('a');
    await succeed('friend');
    expect(messages.texts).toEqual(['a', 'friend', 'again']);
  });

  test('are no longer strangers once they write', async () => {
    const { store, messages, send, succeed } = await world({ maxNewRecipientsPerHour: 1 });
    send('a');
    send('b');
    await succeed('a');
    expect(messages.texts).toEqual(['a']);
    messages.known.add('b');
    store.write(() => store.incoming.add(messageFrom('b')));
    expect(messages.texts).toEqual(['a', 'b']);
  });

  test('are counted over a restart', async () => {
    const first = await world({ maxNewRecipientsPerHour: 1 });
    first.send('a');
    await first.succeed('a');
    first.outgoing.stop();
    const { clock, messages, send } = await world({ maxNewRecipientsPerHour: 1 }, first);
    send('b');
    expect(messages.texts).toEqual([]);
    clock.advance(3_600_000);
    expect(messages.texts).toEqual(['b']);
  });

  test('are limited while chat.db cannot be read too, by what the store knows', async () => {
    const { clock, messages, outgoing, send } = await world({ maxNewRecipientsPerHour: 1 });
    messages.readable = false;
    for (const to of ['a', 'b', 'c']) send(to);
    await messages.end({ kind: 'accepted' });
    expect(messages.texts).toEqual(['a']);
    expect(outgoing.held()).toMatchObject({ newRecipients: 2 });
    clock.advance(3_600_001);
    expect(messages.texts).toEqual(['a', 'b']);
  });

  test('and a burst of them is no faster when chat.db becomes unreadable half-way', async () => {
    const { messages, send, succeed } = await world({ maxNewRecipientsPerHour: 2 });
    send('a');
    await succeed('a');
    messages.readable = false;
    for (const to of ['b', 'c', 'd']) send(to);
    await messages.end({ kind: 'accepted' });
    messages.readable = true;
    send('e');
    expect(messages.texts).toEqual(['a', 'b']);
  });

  test('are counted over a restart that finds chat.db unreadable', async () => {
    const first = await world({ maxNewRecipientsPerHour: 1 });
    first.messages.readable = false;
    first.send('a');
    await first.messages.end({ kind: 'accepted' });
    first.outgoing.stop();
    const { messages, send } = await world({ maxNewRecipientsPerHour: 1 }, first);
    messages.readable = false;
    send('b');
    expect(messages.texts).not.toContain('b');
  });

  test('do not include anyone who wrote, or got a proven text, though chat.db cannot be read', async () => {
    const { clock, store, messages, send, succeed } = await world({ maxNewRecipientsPerHour: 1 });
    send('proven');
    await succeed('proven');
    clock.advance(3_600_001);
    store.write(() => store.incoming.add(messageFrom('writer')));
    messages.readable = false;
    send('stranger');
    await messages.end({ kind: 'accepted' });
    for (const to of ['other', 'proven', 'writer']) send(to, `${to} again`);
    await messages.end({ kind: 'accepted' });
    await messages.end({ kind: 'accepted' });
    expect(messages.texts.slice(1)).toEqual(['stranger', 'proven again', 'writer again']);
  });

  test('wait for an hour at most when the clock is set back', async () => {
    const { clock, messages, send, succeed } = await world({ maxNewRecipientsPerHour: 1 });
    send('a');
    await succeed('a');
    clock.jumpWall(-86_400_000);
    send('b');
    clock.advance(3_600_001);
    expect(messages.texts).toEqual(['a', 'b']);
  });

  test('cost no more to wait for than others, ten thousand of them', async () => {
    const { clock, store, messages, outgoing, succeed } = await world({ maxNewRecipientsPerHour: 1 });
    store.write(() => {
      for (let index = 0; index < 10_000; index++) {
        const to = `p${index}`;
        outgoing.enqueue({
          id: to,
          conversation: to,
          threadId: to,
          text: to,
          role: 'message',
          priority: 2,
          pauseMs: 0,
        });
      }
    });
    const began = performance.now();
    await succeed('p0');
    for (let tick = 0; tick < 5; tick++) clock.advance(5);
    expect(messages.texts).toEqual(['p0']);
    expect(performance.now() - began).toBeLessThan(3_000);
  });
});

describe('texts of one conversation', () => {
  test('count no attempt that the disk prevented', async () => {
    const { clock, store, messages, send, succeed } = await world({ maxPerMinute: 2 });
    send('x');
    send('a');
    const begin = store.sends.begin.bind(store.sends);
    store.sends.begin = () => {
      throw Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' });
    };
    await succeed('x');
    clock.advance(10_000);
    store.sends.begin = begin;
    clock.advance(2_000);
    expect(messages.texts).toEqual(['x', 'a']);
  });

  test('are limited to a number a minute; the others wait', async () => {
    const { clock, messages, outgoing, send, succeed } = await world({ maxPerMinute: 2 });
    for (const text of ['1', '2', '3']) send('a', text);
    await succeed('a');
    clock.advance(10_000);
    await succeed('a');
    expect(messages.texts).toEqual(['1', '2']);
    expect(outgoing.held()).toEqual({ newRecipients: 0, perMinute: 1 });
    send('b');
    expect(messages.texts).toEqual(['1', '2', 'b']);
    await succeed('b');
    clock.advance(49_999);
    expect(messages.texts).toEqual(['1', '2', 'b']);
    clock.advance(2);
    expect(messages.texts).toEqual(['1', '2', 'b', '3']);
  });

  test('are counted over a restart', async () => {
    const first = await world({ maxPerMinute: 1 });
    first.send('a', '1');
    await first.succeed('a');
    first.outgoing.stop();
    first.clock.advance(20_000);
    const { clock, messages, send } = await world({ maxPerMinute: 1 }, first);
    send('a', '2');
    clock.advance(39_000);
    expect(messages.texts).toEqual([]);
    clock.advance(1_001);
    expect(messages.texts).toEqual(['2']);
  });
});

describe('the way to address a conversation', () => {
  async function forms(...targets: SendTarget[]) {
    const room = await world({});
    room.messages.targets = () => targets;
    const used = () => room.messages.started.map(({ target }) => target.form);
    return { ...room, used };
  }

  test('that worked is tried first the next time', async () => {
    const { messages, send, succeed, used } = await forms(CHAT, PERSON);
    send('a', '1');
    await messages.end(REFUSED);
    await succeed('a');
    send('a', '2');
    await succeed('a');
    expect(used()).toEqual(['chat', 'participant', 'participant']);
  });

  test('that worked once and fails is followed by the others, in their order', async () => {
    const { messages, send, succeed, used } = await forms(CHAT, PERSON, SMS);
    send('a', '1');
    await messages.end(REFUSED);
    await succeed('a');
    send('a', '2');
    await messages.end(REFUSED);
    await messages.end(REFUSED);
    await succeed('a');
    send('a', '3');
    expect(used()).toEqual(['chat', 'participant', 'participant', 'chat', 'sms', 'sms']);
  });

  test('is forgotten when a text by it failed after all', async () => {
    const { clock, messages, send, succeed, used, outgoing, store } = await forms(CHAT, PERSON);
    send('a', '1');
    await messages.end(REFUSED);
    await succeed('a');
    expect(store.targetForms.get('a')).toBe('participant');
    send('a', '2');
    messages.addRow('a', '2', 22);
    await messages.end({ kind: 'accepted' });
    outgoing.chatChanged();
    clock.advance(10_001);
    expect(store.targetForms.get('a')).toBeUndefined();
    send('a', '3');
    expect(used()).toEqual(['chat', 'participant', 'participant', 'chat']);
  });
});
