import { expect } from 'vitest';
import { encodeRuns } from '../../../src/kit/messages/typedstreamEncoder.js';
import { type Fact, fact, NOTHING } from './Fact.js';

/** What the operator lets the backend see. */
export const ADMISSION: Fact[] = [
  fact('unknown senders are forwarded unless forward.unknown_senders says no', (world) => {
    const [ann, bob] = [world.person(), world.person()];
    const filtered = world.writer.addChat({ style: 'direct', participants: [ann], filtered: 1 });
    world.receive({ from: ann, text: 'do you know me', chat: filtered });
    expect(world.news().texts).toEqual(['do you know me']);
    world.settings.unknown_senders = false;
    world.receive({ from: ann, text: 'and now', chat: filtered });
    world.receive({ from: bob, text: 'never written to' });
    expect(world.news()).toMatchObject({ ...NOTHING, skipped: { unknown_sender: 2 } });
    world.writer.writeSent({ handle: bob, text: 'hi bob', date: world.clock.now() });
    world.receive({ from: bob, text: 'so you know me' });
    expect(world.news().texts).toEqual(['so you know me']);
  }),
  fact(
    'with forward.unknown_senders off, an unknown sender is filtered until a text is sent to them',
    (world) => {
      world.settings.unknown_senders = false;
      const [friend, other] = [world.person(), world.person()];
      const chat = world.writer.addChat({ style: 'direct', participants: [friend], filtered: 0 });
      world.receive({ from: friend, text: 'my new number', chat });
      expect(world.news()).toMatchObject({ ...NOTHING, skipped: { unknown_sender: 1 } });
      world.writer.writeSent({ chat: chat.guid, text: 'hi', date: world.clock.now() });
      world.receive({ from: friend, text: 'hi again', chat });
      const group = world.writer.groupChat([friend, other]);
      world.receive({ from: other, text: 'who is that', chat: group });
      expect(world.news().texts).toEqual(['hi again']);
      world.writer.writeSent({ chat: group.guid, text: 'us', date: world.clock.now() });
      world.receive({ from: other, text: 'oh', chat: group });
      expect(world.news().texts).toEqual(['oh']);
    },
  ),
  fact('a sign-in code is filtered by the attribute that Messages sets', (world) => {
    const from = world.person();
    const attributes = [['__kIMOneTimeCodeAttributeName', { url: 'code:123456' }]] as const;
    const plain: (typeof attributes)[number][] = [];
    const attributedBody = encodeRuns([
      { text: 'It is ', attributes: plain },
      { text: '123456', attributes },
    ]);
    world.receive({ from, stages: ['row', 'chat'], columns: { attributedBody } });
    expect(world.news()).toMatchObject({ texts: [], skipped: { one_time_code: 1 } });
    world.settings.one_time_codes = true;
    world.receive({ from, stages: ['row', 'chat'], columns: { attributedBody } });
    expect(world.news().texts).toEqual(['It is 123456']);
  }),
  fact('a sign-in code is filtered by a short-code sender, also with (smsft)', (world) => {
    world.receive({ from: '72000', text: 'Your code is 482913', service: 'SMS' });
    world.receive({ from: '72001(smsft)', text: 'G-482913 is your verification code', service: 'SMS' });
    world.receive({ from: '72002', text: 'Your parcel 4829 arrives today', service: 'SMS' });
    world.receive({ from: world.person(), text: 'the door code is 4829' });
    expect(world.news()).toMatchObject({
      texts: ['Your parcel 4829 arrives today', 'the door code is 4829'],
      skipped: { one_time_code: 2 },
    });
  }),
  fact('forward.ignore: people in any spelling, in groups too, and groups', (world) => {
    const [ann, bob, eve] = [world.person(), world.person(), 'eve@example.com'];
    const group = world.writer.groupChat([ann, bob]);
    const other = world.writer.groupChat([bob]);
    const national = `(${ann.slice(2, 5)}) ${ann.slice(5, 8)}-${ann.slice(8)}`;
    world.settings.ignore = [national, 'Eve@Example.com', `any;+;${other.identifier}`];
    world.receive({ from: ann, text: 'a' });
    world.receive({ from: eve, text: 'b' });
    world.receive({ from: ann, text: 'c', chat: group });
    world.receive({ from: bob, text: 'd', chat: other });
    world.writer.happenings.react({ to: 'X', from: ann, chat: group, kind: 'love', date: world.clock.now() });
    world.receive({ from: bob, text: 'seen', chat: group });
    expect(world.news()).toMatchObject({ texts: ['seen'], types: [], skipped: { ignored: 5 } });
  }),
  fact('forward.allow: these people wherever they write, these groups, no one else', (world) => {
    const [ann, bob, eve] = [world.person(), world.person(), world.person()];
    const group = world.writer.groupChat([ann, bob]);
    const other = world.writer.groupChat([ann, bob]);
    world.settings.allow = [ann, group.identifier];
    world.settings.unknown_senders = false;
    world.receive({ from: ann, text: '1' });
    world.receive({ from: bob, text: '2', chat: group });
    world.receive({ from: ann, text: '3', chat: other });
    world.receive({ from: bob, text: 'no', chat: other });
    world.receive({ from: eve, text: 'no' });
    world.settings.ignore = [];
    expect(world.news()).toMatchObject({ texts: ['1', '2', '3'], skipped: { not_allowed: 2 } });
  }),
];
