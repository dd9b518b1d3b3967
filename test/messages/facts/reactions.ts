import { expect } from 'vitest';
import { TAPBACKS } from '../../../src/kit/messages/SimulatedChatEvents.js';
import { type Fact, fact, NOTHING } from './Fact.js';

/** Tapbacks and stickers. */
export const REACTIONS: Fact[] = [
  ...TAPBACKS.map((kind) =>
    fact(`a tapback is an event, put on and taken off: ${kind}`, (world) => {
      const from = world.person();
      const chat = world.writer.directChat(from);
      const on = { to: 'TARGET', part: 1, from, chat, kind, emoji: '🔥', date: world.clock.now() };
      const added = world.writer.happenings.react(on);
      const emoji = world.version >= 15 ? '🔥' : null;
      const details = {
        message_guid: 'TARGET',
        part: 1,
        reaction: kind,
        sender: from,
        chat_guid: chat.guid,
        is_group: false,
        sent_at: new Date(world.clock.now()).toISOString(),
        ...(kind === 'emoji' ? { emoji } : {}),
      };
      expect(world.news()).toMatchObject({
        texts: [],
        events: [
          { eventType: 'reaction_added', threadId: from, details: { ...details, reaction_guid: added.guid } },
        ],
      });
      world.writer.happenings.react({ ...on, remove: true });
      expect(world.news()).toMatchObject({ events: [{ eventType: 'reaction_removed', details }] });
    }),
  ),
  ...(['bp:TARGET', 'TARGET'] as const).map((associated) =>
    fact(`the target of a tapback may be written ${associated}`, (world) => {
      const columns = { associated_message_type: 2001, associated_message_guid: associated };
      world.receive({ from: world.person(), text: 'Liked', columns });
      expect(world.news().events).toMatchObject([{ details: { message_guid: 'TARGET', part: null } }]);
    }),
  ),
  fact('a sticker put on a bubble (1000) is one too', (world) => {
    const columns = { associated_message_type: 1000, associated_message_guid: 'p:0/TARGET' };
    world.receive({ from: world.person(), text: '\ufffc', columns });
    expect(world.news().events).toMatchObject([
      { eventType: 'reaction_added', details: { reaction: 'sticker' } },
    ]);
  }),
  fact('a vote on a poll (4000) is no tapback and no message', (world) => {
    const columns = { associated_message_type: 4000, associated_message_guid: 'TARGET' };
    world.receive({ from: world.person(), text: '\ufffd', columns });
    expect(world.news()).toMatchObject({ ...NOTHING, skipped: { reaction: 1 } });
  }),
  fact('an own tapback is not reported', (world) => {
    const chat = world.writer.directChat(world.acquaintance());
    world.writer.insertMessage(
      { is_from_me: 1, associated_message_type: 2000, associated_message_guid: 'p:0/X', text: 'Loved' },
      chat,
    );
    expect(world.news()).toMatchObject({ ...NOTHING, skipped: { own: 1 } });
  }),
  fact('forward.reactions: false', (world) => {
    world.settings.reactions = false;
    const from = world.person();
    const chat = world.writer.directChat(from);
    world.writer.happenings.react({ to: 'X', from, chat, kind: 'love', date: world.clock.now() });
    expect(world.news()).toMatchObject({ ...NOTHING, skipped: { reaction: 1 } });
  }),
  fact('a tapback of last year that iCloud downloads is not reported', (world) => {
    const from = world.person();
    const chat = world.writer.directChat(from);
    const date = world.clock.now() - 365 * 86_400_000;
    world.writer.happenings.react({ to: 'X', from, chat, kind: 'love', date });
    expect(world.news()).toMatchObject({ ...NOTHING, skipped: { stale: 1 } });
  }),
];
