import { expect, test } from 'vitest';
import { Automation, type AutomationAnswer } from '../../../src/messages/applescript/Automation.js';
import { notStarted } from '../../../src/messages/applescript/OsascriptRunner.js';
import { FakeClock } from '../../support/FakeClock.js';
import { FakeMessages } from '../../support/FakeMessages.js';
import { outgoingOn } from '../../support/outgoingOn.js';
import { RecordingLog } from '../../support/RecordingLog.js';
import { temporaryStore } from '../../support/temporaryStore.js';

const ANN = '+13105551234';
const MINUTE = 60_000;

/** The sender of texts behind the permission, on a Mac whose answer is `mac`. */
async function world(permission: AutomationAnswer) {
  const mac = { permission, questions: 0, dialogs: 0 };
  const clock = new FakeClock();
  const log = new RecordingLog();
  const store = temporaryStore(clock);
  const messages = new FakeMessages();
  let answerDialog: (answer: AutomationAnswer) => void = () => undefined;
  const life = () => {
    const automation = new Automation({
      silently: async () => {
        mac.questions += 1;
        return mac.permission;
      },
      raise: (signal) => {
        mac.dialogs += 1;
        return new Promise((resolve) => {
          answerDialog = resolve;
          signal.addEventListener('abort', () => resolve('unknown'));
        });
      },
      ...{ clock, log, onGranted: () => undefined },
    });
    messages.hold = () => automation.hold();
    const outgoing = outgoingOn(store, messages, clock, {}, { log, boot: 'this boot' });
    return { automation, outgoing };
  };
  const first = life();
  first.automation.start();
  await first.outgoing.start();
  await clock.advanceAsync(0);
  const send = (text: string) =>
    store.write(() =>
      first.outgoing.enqueue({
        ...{ id: text, conversation: ANN, threadId: ANN, text, role: 'message', priority: 2, pauseMs: 0 },
      } as const),
    );
  const decide = (answer: AutomationAnswer) => {
    mac.permission = answer;
    answerDialog(answer);
  };
  return { ...first, mac, clock, store, messages, log, send, decide, life };
}

test('a Mac that grants Automation is asked once, however many texts are sent', async () => {
  const { mac, clock, messages, send } = await world('granted');
  for (const text of ['one', 'two', 'three']) {
    send(text);
    await clock.advanceAsync(0);
    expect(messages.texts.at(-1)).toBe(text);
    await messages.succeed();
    await clock.advanceAsync(MINUTE);
  }
  expect(mac).toMatchObject({ questions: 1, dialogs: 0 });
});

test('no dialog is raised before a text is due, and the status shows it before that', async () => {
  const { mac, clock, automation } = await world('undecided');
  await clock.advanceAsync(10 * MINUTE);
  expect(mac.dialogs).toBe(0);
  expect(automation.fault()).toMatchObject({
    code: 'automation_pending',
    remedy: expect.stringContaining('edge-agent doctor'),
  });
});

test('while a dialog is unanswered for ten minutes texts wait, none of them begun, and are sent in order', async () => {
  const { mac, clock, store, messages, automation, send, decide } = await world('undecided');
  for (const text of ['one', 'two']) send(text);
  await clock.advanceAsync(10 * MINUTE);
  expect(mac.dialogs).toBe(1);
  expect(messages.texts).toEqual([]);
  expect(store.sends.attempting()).toEqual([]);
  expect(automation.fault()).toMatchObject({
    code: 'automation_pending',
    message: expect.stringMatching(/^A dialog on the screen of this Mac/),
  });
  decide('granted');
  await clock.advanceAsync(0);
  expect(automation.fault()).toBeUndefined();
  expect(messages.texts).toEqual(['one']);
  await messages.succeed();
  await clock.advanceAsync(MINUTE);
  expect(messages.texts).toEqual(['one', 'two']);
});

test('a permission given in System Settings releases the texts as well', async () => {
  const { mac, clock, messages, send } = await world('undecided');
  send('one');
  await clock.advanceAsync(MINUTE);
  mac.permission = 'granted';
  await clock.advanceAsync(MINUTE);
  expect(messages.texts).toEqual(['one']);
});

test('a permission that is unknown for a while lets no text past the dialog', async () => {
  const { mac, clock, messages, send } = await world('undecided');
  send('one');
  for (const answer of ['unknown', 'not_running'] as const) {
    mac.permission = answer;
    await clock.advanceAsync(10 * MINUTE);
    expect(messages.texts).toEqual([]);
  }
});

test('a dialog that goes away unanswered is no longer reported, and is raised again on request', async () => {
  const { mac, clock, automation, messages, send, decide } = await world('undecided');
  send('one');
  await clock.advanceAsync(0);
  decide('undecided');
  await clock.advanceAsync(10 * MINUTE);
  expect(mac.dialogs).toBe(1);
  expect(automation.fault()?.message).toMatch(/^It is not decided yet/);
  expect(await automation.ask(true)).toEqual({ permission: 'undecided', isDialogOpen: true });
  expect(await automation.ask(true)).toEqual({ permission: 'undecided', isDialogOpen: true });
  expect(mac.dialogs).toBe(2);
  decide('granted');
  await clock.advanceAsync(0);
  expect(messages.texts).toEqual(['one']);
});

test('an agent that ends while the dialog is open has begun nothing, and its next run raises it again', async () => {
  const { mac, clock, automation, messages, outgoing, send, life, decide } = await world('undecided');
  send('one');
  await clock.advanceAsync(0);
  automation.stop();
  await outgoing.drain();
  outgoing.stop();
  await clock.advanceAsync(MINUTE);
  expect(messages.texts).toEqual([]);
  const next = life();
  next.automation.start();
  await next.outgoing.start();
  await clock.advanceAsync(MINUTE);
  expect(mac.dialogs).toBe(2);
  decide('granted');
  await clock.advanceAsync(0);
  expect(messages.texts).toEqual(['one']);
});

test('denied, texts are tried and refused; granted later, the status is right and the next one is sent', async () => {
  const { mac, clock, automation, messages, send } = await world('denied');
  expect(automation.fault()).toMatchObject({
    code: 'automation_denied',
    remedy: expect.stringContaining('Privacy & Security → Automation'),
  });
  send('one');
  await clock.advanceAsync(0);
  expect(messages.texts).toEqual(['one']);
  const message = 'no';
  automation.note(notStarted({ code: -1743, reason: 'automation_denied', retry: 'never', message }));
  await messages.end({ kind: 'notStarted', errorCode: 'automation_denied', message, retry: 'never' });
  mac.permission = 'granted';
  await clock.advanceAsync(2 * MINUTE);
  send('two');
  await clock.advanceAsync(0);
  expect(automation.fault()).toBeUndefined();
  expect(messages.texts).toEqual(['one', 'two']);
});

test.each([-1743, -1744, -1712, -609])(
  'after an attempt that ended with %i macOS is asked again, before another one begins',
  async (code) => {
    const { mac, clock, automation, messages, send } = await world('granted');
    send('one');
    await clock.advanceAsync(0);
    mac.permission = 'undecided';
    automation.note(notStarted({ code, message: 'no' }));
    await messages.end({
      ...{ kind: 'notStarted', errorCode: 'messages_unavailable', message: 'no', retry: 'later' },
    });
    await clock.advanceAsync(10 * MINUTE);
    expect(messages.texts).toEqual(['one']);
    expect(mac.dialogs).toBe(1);
  },
);

test('a Mac that cannot be asked blocks no text', async () => {
  const { clock, mac, automation, messages, send } = await world('unknown');
  for (const text of ['one', 'two', 'three']) {
    send(text);
    await clock.advanceAsync(0);
    await messages.succeed();
  }
  expect(messages.texts).toEqual(['one', 'two', 'three']);
  expect(mac.questions).toBe(1);
  expect(automation.fault()).toBeUndefined();
});

test('when Messages does not run, it is asked about again before the next text', async () => {
  const { clock, mac, messages, send } = await world('not_running');
  await clock.advanceAsync(MINUTE);
  mac.permission = 'undecided';
  send('one');
  await clock.advanceAsync(MINUTE);
  expect(messages.texts).toEqual([]);
  expect(mac.dialogs).toBe(1);
});
