import { expect } from 'vitest';
import { type Fact, fact, NOTHING } from './Fact.js';

const HOUR = 3600_000;
const CODE = 'Your code is 482913';

/** Reports of messages that the backend does not get, and the senders that are never reported. */
export const FILTERED: Fact[] = [
  fact('a filtered sign-in code is reported: its sender and the reason, and not its text', (world) => {
    const { guid } = world.receive({ from: '73001', text: CODE, service: 'SMS' });
    const { events } = world.news();
    expect(events).toMatchObject([
      {
        eventType: 'message_filtered',
        threadId: '73001',
        details: {
          message_guid: guid,
          reason: 'one_time_code',
          sender: '73001',
          service: 'SMS',
          is_group: false,
        },
      },
    ]);
    expect(JSON.stringify(events)).not.toContain('482913');
  }),
  fact('a message that is found too late is reported, once', (world) => {
    const from = world.person();
    world.receive({ from, text: 'yesterday', date: world.clock.now() - 24 * HOUR });
    expect(world.news()).toMatchObject({
      texts: [],
      events: [{ eventType: 'message_filtered', threadId: from, details: { reason: 'stale', sender: from } }],
    });
    expect(world.after(1000)).toMatchObject(NOTHING);
  }),
  fact(
    'history that iCloud downloads causes no flood of events: nothing older than 7 days is reported',
    (world) => {
      const from = world.person();
      const date = world.clock.now() - 8 * 24 * HOUR;
      for (let year = 0; year < 20; year += 1) world.receive({ from, text: `old ${year}`, date });
      expect(world.news()).toMatchObject({ ...NOTHING, skipped: { stale: 20 } });
    },
  ),
  fact('a late tapback is not reported, nor a text to oneself', (world) => {
    const from = world.person();
    const chat = world.writer.directChat(from);
    const date = world.clock.now() - 24 * HOUR;
    world.writer.happenings.react({ to: 'X', from, chat, kind: 'love', date });
    world.receive({
      from: 'me@own.example',
      text: 'x',
      date,
      columns: { destination_caller_id: 'me@own.example' },
    });
    expect(world.news()).toMatchObject(NOTHING);
  }),
  fact(
    'no event reports the senders that forward.ignore, allow or unknown_senders filter, late or not',
    (world) => {
      const [ann, bob, eve] = [world.person(), world.person(), world.person()];
      const late = world.clock.now() - 24 * HOUR;
      world.settings.ignore = [ann];
      world.receive({ from: ann, text: 'a' });
      world.receive({ from: ann, text: 'a', date: late });
      world.writer.happenings.sendApp(ann, 'com.apple.messages.Polls', world.clock.now());
      expect(world.news()).toMatchObject({ ...NOTHING, skipped: { ignored: 3 } });
      world.settings.ignore = [];
      world.settings.unknown_senders = false;
      world.receive({ from: bob, text: 'b' });
      world.receive({ from: bob, text: 'b', date: late });
      world.receive({ from: '73002', text: CODE });
      expect(world.news()).toMatchObject({ ...NOTHING, skipped: { unknown_sender: 3 } });
      world.settings.allow = [bob];
      world.receive({ from: eve, text: 'e', date: late });
      world.receive({ from: eve, text: CODE });
      expect(world.news()).toMatchObject({ ...NOTHING, skipped: { not_allowed: 2 } });
    },
  ),
  fact(
    'a message that was forwarded and is read again, from a restored chat.db, was not filtered',
    (world) => {
      const from = world.person();
      const message = world.receive({ from, text: 'in its time' });
      expect(world.news().texts).toEqual(['in its time']);
      world.clock.advance(24 * HOUR);
      world.store.write(() =>
        world.store.cursor.setPending([{ rowId: message.rowId, firstSeenAt: world.clock.now() }]),
      );
      expect(world.news()).toMatchObject({ ...NOTHING, skipped: {} });
    },
  ),
  fact('forward.filtered: false', (world) => {
    world.settings.filtered = false;
    world.receive({ from: '73003', text: CODE });
    world.receive({ from: world.person(), text: 'late', date: world.clock.now() - 24 * HOUR });
    expect(world.news()).toMatchObject({ ...NOTHING, skipped: { one_time_code: 1, stale: 1 } });
  }),
];
