import { expect } from 'vitest';
import { appleDate } from '../../../src/kit/messages/AppleDatabase.js';
import { type Fact, fact, NOTHING } from './Fact.js';
import { type FactWorld, OWN } from './FactWorld.js';

/** What we wrote to ourselves. */
export const OURSELVES: Fact[] = [
  fact('a text to the own number comes back as an incoming row: not forwarded', (world) => {
    const date = world.clock.now();
    world.writer.happenings.writeToSelf(OWN, 'note', { date });
    world.writer.happenings.writeToSelf(OWN, 'text in the second row alone', { date, receipt: true });
    expect(world.news()).toMatchObject(NOTHING);
  }),
  fact('to an address that is not configured: recognised by the account of the sent row', (world) => {
    const date = world.clock.now();
    world.writer.happenings.writeToSelf(`me${world.person()}@example.com`, 'note', { date });
    expect(world.news()).toMatchObject({ ...NOTHING, skipped: { own: 2 } });
  }),
  fact('from one unknown own address to another, the second row written first', (world) => {
    const date = world.clock.now();
    const [to, sentFrom] = [`to${world.person()}@example.com`, `from${world.person()}@example.com`];
    const chat = world.writer.directChat(to);
    world.writer.inOneCommit(() => {
      world.receive({ from: sentFrom, text: 'note', chat, date });
      world.writer.insertMessage({ is_from_me: 1, account: `E:${sentFrom}`, text: 'note' }, chat);
    });
    expect(world.news()).toMatchObject({ ...NOTHING, skipped: { own: 2 } });
  }),
  fact('a message to the same address that it came from is own, whatever else is known', (world) => {
    const from = `me${world.person()}@example.com`;
    world.receive({ from, text: 'note', columns: { destination_caller_id: from } });
    world.receive({ from, text: 'note', columns: { account: `e:${from.toUpperCase()}` } });
    expect(world.news()).toMatchObject({ ...NOTHING, skipped: { echo: 2 } });
  }),
  fact('an SMS that claims to have come to its sender is a message: another device wrote that', (world) => {
    const from = world.person();
    const columns = { destination_caller_id: from, account: `P:${from}` };
    world.receive({ from, text: 'from a person', service: 'SMS', columns });
    expect(world.news().texts).toEqual(['from a person']);
  }),
  ...[{ account: 'P:' }, { destination_caller_id: '' }, { account: 'p:', destination_caller_id: '' }].map(
    (form) =>
      fact(
        `nor does a sent SMS make an own address of what its ${Object.keys(form).join(' and ')} names`,
        (world) => {
          const from = world.acquaintance();
          const chat = world.writer.directChat(from);
          const named = Object.entries(form).map(([column, prefix]) => [column, `${prefix}${from}`]);
          const ours = { is_from_me: 1, service: 'SMS', text: 'ours', ...Object.fromEntries(named) };
          world.writer.insertMessage({ ...ours, date: appleDate(world.clock.now()) }, chat);
          world.receive({ from, text: 'at once', service: 'SMS', chat });
          expect(world.news().texts).toEqual(['at once']);
          world.clock.advance(400_000);
          world.restart();
          world.receive({ from, text: 'and later', service: 'SMS', chat });
          expect(world.news().texts).toEqual(['and later']);
        },
      ),
  ),
  ...['ok', '1', '👍'].map((text) =>
    fact(`“${text}” comes back while the own row is in its first state: its chat waits for that`, (world) => {
      const me = `alias${world.person()}@example.com`;
      const chat = world.writer.directChat(me);
      world.receive({ from: me, chat, text: 'hello', columns: UNNAMED });
      world.news();
      const seq = world.send(me, text);
      const date = appleDate(world.clock.now());
      const row = world.writer.insertMessage({ ...UNNAMED, is_from_me: 0, is_finished: 0, text, date }, chat);
      world.receive({ from: me, chat, text, columns: UNNAMED });
      expect(world.news().texts).toEqual([]);
      world.clock.advance(200);
      const settled = { is_from_me: 1, is_finished: 1, destination_caller_id: me };
      world.writer.updateMessage(row.rowId, settled);
      expect(world.news()).toMatchObject({ texts: [], skipped: { own: 1, echo: 1 } });
      world.store.write(() => world.store.sends.settle(seq, { state: 'sent', guid: row.guid }));
      expect(world.after(5_000)).toMatchObject(NOTHING);
    }),
  ),
  fact('a sent row without its account shows by destination_caller_id what it was sent from', (world) => {
    const from = `me${world.person()}@example.com`;
    const chat = world.writer.directChat(`to${world.person()}@example.com`);
    const columns = { is_from_me: 1, account: null, destination_caller_id: from, text: 'note' };
    world.writer.insertMessage({ ...columns, date: appleDate(world.clock.now()) }, chat);
    world.receive({ from, text: 'note', chat });
    expect(world.news()).toMatchObject({ texts: [], skipped: { echo: 1 } });
  }),
  fact(
    'where rows do not show what the own one was sent from, the same text just after it, in a chat with oneself, is its echo',
    (world) => {
      const from = `alias${world.person()}@example.com`;
      const chat = world.writer.directChat(OWN);
      const send = (text: string, date = world.clock.now()) =>
        world.writer.insertMessage({ is_from_me: 1, account: null, text, date: appleDate(date) }, chat);
      send('It’s  “quoted”');
      world.receive({ from, chat, text: 'It\'s "quoted"', date: world.clock.now() + 1_000 });
      expect(world.news()).toMatchObject({ texts: [], skipped: { echo: 1 } });
      send('over a restart');
      world.news();
      world.restart();
      world.receive({ from, chat, text: 'over a restart', date: world.clock.now() + 1_000 });
      expect(world.news()).toMatchObject({ texts: [], skipped: { echo: 1 } });
      send('ok');
      world.receive({ from, chat, text: 'ok', date: world.clock.now() + 2_500 });
      world.receive({ from, chat, text: 'ok', date: world.clock.now() - 500 });
      expect(world.news().texts).toEqual(['ok', 'ok']);
    },
  ),
  fact('and in a chat with another person, however soon it comes, it is their answer', (world) => {
    const from = world.acquaintance();
    const date = world.clock.now();
    const row = { is_from_me: 1, account: null, text: 'ok', date: appleDate(date) };
    world.writer.insertMessage(row, world.writer.directChat(from));
    world.receive({ from, text: 'ok', date: date + 500 });
    expect(world.news().texts).toEqual(['ok']);
  }),
  fact(
    'where no row shows that a chat is with oneself, an own text that comes back at once is its echo',
    (world) => {
      const me = `me${world.person()}@icloud.com`;
      const chat = world.writer.directChat(me);
      const { sent, back } = unnamed(world, me);
      world.receive({ from: me, chat, text: 'hello', columns: UNNAMED });
      expect(world.news().texts).toEqual(['hello']);
      sent('ok');
      back('ok', 300);
      expect(world.news().texts).toEqual(['ok']);
      sent('It’s  “this” and that');
      back('It\'s "this" and that', 14_000);
      expect(world.news()).toMatchObject({ texts: [], skipped: { echo: 1 } });
      sent('ok');
      back('ok', 300);
      expect(world.news()).toMatchObject({ texts: [], skipped: { echo: 1 } });
      sent('slow to come back');
      back('slow to come back', 120_000);
      expect(world.news()).toMatchObject({ texts: [], skipped: { echo: 1 } });
      back('a word that we did not send', 400);
      expect(world.news().texts).toEqual(['a word that we did not send']);
    },
  ),
  fact(
    'a person may repeat the agent’s text: later, shorter, or what another person wrote; one echo is dropped',
    (world) => {
      const ann = world.acquaintance();
      const { sent, back } = unnamed(world, ann);
      sent('Happy New Year!');
      back('Happy New Year!', 16_000);
      sent('thank you');
      back('thank you', 500);
      expect(world.news().texts).toEqual(['Happy New Year!', 'thank you']);
      world.writer.writeSent({ handle: ann, text: 'from another device', date: world.clock.now() });
      back('from another device', 500);
      expect(world.news().texts).toEqual(['from another device']);
      for (const text of ['Merry Christmas!', 'Happy birthday to you']) {
        sent(text);
        back(text, 5_000);
        back('and a word of their own', 6_000);
        expect(world.news()).toMatchObject({ texts: ['and a word of their own'], skipped: { echo: 1 } });
      }
    },
  ),
  fact(
    'a person whose rows name the own address that they wrote to is read, whatever text of the agent they repeat',
    (world) => {
      const ann = world.acquaintance();
      const { sent, back } = unnamed(world, ann, { account: `P:${OWN}`, destination_caller_id: OWN });
      sent('Reply YES I CONFIRM');
      back('Reply YES I CONFIRM', 5_000);
      back('Reply YES I CONFIRM', 9_000);
      back('hello? are you there', 20_000);
      const texts = ['Reply YES I CONFIRM', 'Reply YES I CONFIRM', 'hello? are you there'];
      expect(world.news().texts).toEqual(texts);
    },
  ),
  fact('an own text that comes back twice is one echo, and no one is dropped permanently', (world) => {
    const ann = world.acquaintance();
    const { sent, back } = unnamed(world, ann);
    sent('Reply YES I CONFIRM');
    for (const afterMs of [5_000, 9_000]) {
      back('Reply YES I CONFIRM', afterMs);
      expect(world.news()).toMatchObject({ texts: [], skipped: { echo: 1 } });
    }
    sent('Reply NO to go back');
    back('Reply NO to go back', 5_000);
    expect(world.news()).toMatchObject({ texts: [], skipped: { echo: 1 } });
    back('hello? are you there', 6_000);
    expect(world.news().texts).toEqual(['hello? are you there']);
    sent('yes');
    back('yes', 7_000);
    expect(world.news().texts).toEqual(['yes']);
  }),
  fact(
    'an echo is recognised also where the own row is an empty receipt and only the other has the text',
    (world) => {
      const me = `me${world.person()}@icloud.com`;
      const chat = world.writer.directChat(me);
      const receipt = (text: string) => {
        world.send(me, text);
        const date = appleDate(world.clock.now());
        world.writer.insertMessage({ ...UNNAMED, is_from_me: 1, is_sent: 1, date }, chat);
      };
      const { back } = unnamed(world, me);
      back('hello', 0);
      expect(world.news().texts).toEqual(['hello']);
      for (const text of ['a first long text of ours', 'a second long text of ours', 'ok']) {
        receipt(text);
        back(text, 200);
        expect(world.news()).toMatchObject({ texts: [], skipped: { echo: 1 } });
      }
      const ann = world.acquaintance();
      world.send(ann, 'Happy New Year!');
      unnamed(world, ann).back('Happy New Year!', 16_000);
      expect(world.news().texts).toEqual(['Happy New Year!']);
    },
  ),
  fact('a person who answers with exactly the agent’s text is no echo', (world) => {
    const from = world.acquaintance();
    const seq = world.send(from, 'ok');
    const sent = world.writer.writeSent({ handle: from, text: 'ok', date: world.clock.now() });
    world.store.write(() => world.store.sends.settle(seq, { state: 'sent', guid: sent.guid }));
    world.receive({ from, text: 'ok' });
    expect(world.news().texts).toEqual(['ok']);
  }),
  fact('own addresses are learned from what was sent, and from where two people write to', (world) => {
    const [sender, reached] = [`from${world.person()}@example.com`, `at${world.person()}@example.com`];
    const chat = world.writer.directChat(world.person());
    world.writer.insertMessage({ is_from_me: 1, account: `e:${sender}` }, chat);
    for (const from of [world.person(), world.person()])
      world.receive({ from, text: 'hi', columns: { destination_caller_id: reached } });
    world.receive({
      from: world.person(),
      text: 'x',
      columns: { destination_caller_id: 'only@one.example' },
    });
    world.news();
    world.clock.advance(11 * 60_000);
    const own = world.chatDb.ownAddresses();
    expect(own).toEqual(expect.arrayContaining([sender, reached]));
    expect(own).not.toContain('only@one.example');
  }),
];

/** Rows that show neither their recipient nor, correctly, their own account. */
const UNNAMED = { account: `P:${OWN}`, destination_caller_id: null };

/** A chat of which no row shows the other side: what is sent there, and what comes from there so many ms later. */
function unnamed(world: FactWorld, address: string, columns: Record<string, string | null> = UNNAMED) {
  const chat = world.writer.directChat(address);
  return {
    sent(text: string): void {
      const seq = world.send(address, text);
      const date = appleDate(world.clock.now());
      const row = world.writer.insertMessage({ ...columns, is_from_me: 1, text, date }, chat);
      world.store.write(() => world.store.sends.settle(seq, { state: 'sent', guid: row.guid }));
    },
    back(text: string, afterMs: number) {
      world.clock.jumpWall(1);
      return world.receive({ from: address, chat, text, date: world.clock.now() + afterMs, columns });
    },
  };
}
