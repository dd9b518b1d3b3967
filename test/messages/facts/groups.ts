import { expect } from 'vitest';
import { type Fact, fact, NOTHING } from './Fact.js';

/** What becomes of groups. */
export const GROUPS: Fact[] = [
  fact('people added to and removed from a group (item_type 1)', (world) => {
    const [ann, bob] = [world.person(), world.person()];
    const chat = world.writer.groupChat([ann]);
    const date = world.clock.now();
    world.writer.happenings.changeGroup(chat, { kind: 'added', by: ann, member: bob, date });
    world.writer.happenings.changeGroup(chat, { kind: 'removed', by: ann, member: bob, date });
    const details = { member: bob, by: ann, by_us: false, chat_guid: chat.guid, is_group: true };
    expect(world.news().events).toMatchObject([
      { eventType: 'group_member_added', threadId: chat.identifier, details },
      { eventType: 'group_member_removed', threadId: chat.identifier, details },
    ]);
  }),
  fact('a group renamed, also to no name (item_type 2)', (world) => {
    const ann = world.person();
    const chat = world.writer.groupChat([ann]);
    const date = world.clock.now();
    world.writer.happenings.changeGroup(chat, { kind: 'renamed', by: ann, title: 'Trip', date });
    world.writer.happenings.changeGroup(chat, { kind: 'renamed', by: ann, title: null, date });
    expect(world.news().events).toMatchObject([
      { eventType: 'group_renamed', details: { title: 'Trip', by: ann } },
      { eventType: 'group_renamed', details: { title: null } },
    ]);
  }),
  fact('a notice is reported though it is marked as a system message', (world) => {
    const ann = world.person();
    const chat = world.writer.groupChat([ann]);
    const change = { kind: 'renamed', by: ann, title: 'Marked', date: world.clock.now() } as const;
    const { rowId } = world.writer.happenings.changeGroup(chat, change);
    world.writer.updateMessage(rowId, { is_system_message: 1, is_service_message: 1 });
    expect(world.news()).toMatchObject({ types: ['group_renamed'], skipped: {} });
  }),
  fact('a member left; the photo was set or removed; a background is nothing (item_type 3)', (world) => {
    const ann = world.person();
    const chat = world.writer.groupChat([ann]);
    for (const kind of ['left', 'photo', 'photoRemoved', 'background'] as const)
      world.writer.happenings.changeGroup(chat, { kind, by: ann, date: world.clock.now() });
    expect(world.news()).toMatchObject({
      events: [
        { eventType: 'group_member_left', details: { member: ann } },
        { eventType: 'group_photo_changed', details: { removed: false } },
        { eventType: 'group_photo_changed', details: { removed: true } },
      ],
      skipped: { system: 1 },
    });
  }),
  fact('a change of a group from this account is reported as own', (world) => {
    const ann = world.person();
    const chat = world.writer.groupChat([ann]);
    const change = { kind: 'removed', by: null, member: ann, date: world.clock.now() } as const;
    world.writer.happenings.changeGroup(chat, change);
    expect(world.news().events).toMatchObject([{ details: { member: ann, by: null, by_us: true } }]);
  }),
  fact('the same person before and after is a new number: no one joined', (world) => {
    const ann = world.person();
    const chat = world.writer.groupChat([ann]);
    world.writer.happenings.changeGroup(chat, {
      kind: 'added',
      by: ann,
      member: ann,
      date: world.clock.now(),
    });
    expect(world.news()).toMatchObject({ ...NOTHING, skipped: { system: 1 } });
  }),
  fact('forward.group_events: false', (world) => {
    world.settings.group_events = false;
    const ann = world.person();
    const chat = world.writer.groupChat([ann]);
    world.writer.happenings.changeGroup(chat, { kind: 'left', by: ann, date: world.clock.now() });
    expect(world.news()).toMatchObject({ ...NOTHING, skipped: { system: 1 } });
  }),
];
