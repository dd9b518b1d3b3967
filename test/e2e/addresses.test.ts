import { describe, expect, test } from 'vitest';
import { echo, silent } from '../../src/kit/backend/persona.js';
import type { NewIncoming } from '../../src/kit/messages/SimulatedIncoming.js';
import { EdgeWorld, OWN, PERSON } from '../support/EdgeWorld.js';

const OTHER = '+13105559876';
const SECOND = '+447967960994';

describe('which of the agent’s addresses was written to', { concurrent: true }, () => {
  test('the post names the agent’s address, whatever the form of the row; for an SMS only a known one', async (context) => {
    const world = await EdgeWorld.open(context, {
      persona: silent,
      settings: { 'edge.own_addresses': [SECOND] },
    });
    const { chatDb } = world.mac;
    await world.start();
    const rows: Omit<NewIncoming, 'from'>[] = [
      { text: 'first', columns: { destination_caller_id: OWN } },
      { text: 'second', columns: { destination_caller_id: '00447967960994' } },
      { text: 'by account', columns: { destination_caller_id: null, account: 'E:Me@Example.com' } },
      { text: 'by neither', columns: { destination_caller_id: null, account: null } },
      { text: 'SMS', service: 'SMS', columns: { destination_caller_id: OTHER, account: null } },
      { text: 'SMS to us', service: 'SMS', columns: { destination_caller_id: SECOND, account: null } },
    ];
    for (const row of rows) chatDb.receive({ from: PERSON, ...row });
    await world.backend.until(() => world.backend.messages.length === rows.length);
    const to = new Map(world.backend.messages.map(({ body }) => [body.filtered_text, body.to]));
    expect(Object.fromEntries(to)).toEqual({
      ...{ first: OWN, second: SECOND, 'by account': 'me@example.com', 'by neither': undefined },
      ...{ SMS: undefined, 'SMS to us': SECOND },
    });
  });

  test('the answer is sent by the chat of its message, though another chat with that person is newer', async (context) => {
    const world = await EdgeWorld.open(context, { persona: echo });
    const { chatDb } = world.mac;
    const [ours, second] = (['ACCOUNT-1', 'ACCOUNT-2'] as const).map((accountId) =>
      chatDb.addChat({
        ...{ style: 'direct', participants: [OTHER], identifier: OTHER, accountId },
        guid: `${accountId};-;${OTHER}`,
      }),
    );
    if (ours === undefined || second === undefined) throw new Error('unreachable: there are two chats');
    const daemon = await world.start();
    expect((await world.cli('pause', OTHER)).exitCode).toBe(0);
    chatDb.receive({
      from: OTHER,
      text: 'to the first',
      chat: ours,
      columns: { destination_caller_id: OWN },
    });
    await world.backend.until(() => world.backend.messages.length === 1);
    chatDb.receive({
      from: OTHER,
      text: 'to the second',
      chat: second,
      columns: { destination_caller_id: SECOND },
    });
    await world.backend.until(() => world.backend.messages.length === 2);
    await daemon.kill('SIGKILL');
    const next = await world.start();
    expect((await world.cli('resume', OTHER)).exitCode).toBe(0);
    const chatOf = (text: string) => world.mac.sent().find((sent) => sent.text === text)?.target;
    await world.sent(2);
    await world.backend.until(
      () => chatOf('you said: to the first') !== undefined && chatOf('you said: to the second') !== undefined,
    );
    expect(chatOf('you said: to the first')).toBe(ours.guid);
    expect(chatOf('you said: to the second')).toBe(second.guid);
    await next.kill('SIGTERM');
  });

  test('where that chat cannot be used, the person is written to from its account, in E.164', async (context) => {
    const world = await EdgeWorld.open(context, { persona: silent });
    const { chatDb } = world.mac;
    const first = chatDb.addChat({
      ...{ style: 'direct', participants: [OTHER], identifier: OTHER, accountId: 'ACCOUNT-1' },
      guid: `ACCOUNT-1;-;${OTHER}`,
    });
    const second = chatDb.addChat({
      ...{ style: 'direct', participants: [OTHER], identifier: OTHER, accountId: 'ACCOUNT-2' },
      guid: `ACCOUNT-2;-;${OTHER}`,
    });
    await world.start();
    const { guid } = chatDb.receive({ from: OTHER, text: 'hi', chat: first });
    await world.backend.until(() => world.backend.messages.length === 1);
    chatDb.receive({ from: OTHER, text: 'hi', chat: second });
    await world.backend.until(() => world.backend.messages.length === 2);
    world.behave({ kind: 'error', number: -1728, when: 'before' }, { target: first.guid });
    await world.acked(
      world.command('on it', { thread_id: '13105559876', bubble_type: 'reflex', in_reply_to: guid }),
    );
    expect(world.mac.sent()).toMatchObject([{ form: 'participant', target: OTHER, text: 'on it' }]);
    expect(world.mac.sent()[0]?.argv).toContain('ACCOUNT-1');
  });

  test('a number without its plus is written to in E.164, in the conversation that it has with it', async (context) => {
    const world = await EdgeWorld.open(context, { persona: silent });
    await world.start();
    for (const [index, thread_id] of ['447967960994', '00447967960994', 'any;-;011 44 7967 960994'].entries())
      await world.acked(world.command(`text ${index}`, { thread_id }));
    // The first makes the chat that the others find.
    expect(world.mac.sent().map(({ form, target }) => [form, target])).toEqual([
      ['participant', SECOND],
      ['chat', `iMessage;-;${SECOND}`],
      ['chat', `iMessage;-;${SECOND}`],
    ]);
  });
});

describe('a group that changes its identifier in the middle', { concurrent: true }, () => {
  test('stays one conversation: same thread id, its context, both names in commands, and texts go to the active chat', async (context) => {
    const world = await EdgeWorld.open(context, { persona: silent });
    const { chatDb } = world.mac;
    const before = chatDb.groupChat([PERSON, OTHER], { identifier: 'chat100', service: 'SMS' });
    const daemon = await world.start();
    chatDb.receive({ from: PERSON, text: 'before', chat: before });
    await world.backend.until(() => world.backend.messages.length === 1);
    const put = world.backend.pushCommand({
      command_type: 'context_update',
      payload: { thread_id: 'chat100', app_id: 'trip' },
    });
    await world.acked(put.commandId);

    const after = chatDb.chats.regroup(before, { identifier: 'chat200', service: 'RCS' });
    chatDb.receive({ from: OTHER, text: 'after', chat: after });
    await world.backend.until(() => world.backend.messages.length === 2);
    expect(world.backend.messages.map(({ body }) => body)).toMatchObject([
      { filtered_text: 'before', thread_id: 'chat100', chat_guid: before.guid, is_group: true },
      { filtered_text: 'after', thread_id: 'chat100', chat_guid: after.guid, context: { app_id: 'trip' } },
    ]);
    for (const thread_id of ['chat100', 'SMS;+;chat100', 'chat200', after.guid])
      await world.acked(world.command(`to ${thread_id}`, { thread_id }));
    expect(world.mac.sent().map(({ target }) => target)).toEqual(Array(4).fill(after.guid));

    // Whatever name the operator pauses it by, it is the same conversation; also after a restart.
    expect((await world.cli('pause', 'chat200')).exitCode).toBe(0);
    await daemon.kill('SIGKILL');
    const next = await world.start();
    const { snapshot } = await next.status();
    expect(snapshot).toMatchObject({ paused: [{ conversation: 'chat100' }] });
    chatDb.receive({ from: PERSON, text: 'and now', chat: after });
    await world.backend.until(() => world.backend.messages.length === 3);
    expect(world.backend.messages[2]?.body).toMatchObject({ thread_id: 'chat100' });
    expect(world.log().join('\n')).not.toMatch(/chat200/);
  });
});
