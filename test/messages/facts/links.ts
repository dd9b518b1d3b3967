import { expect } from 'vitest';
import { appleDate } from '../../../src/kit/messages/AppleDatabase.js';
import { encodeBinaryPlist } from '../../../src/kit/messages/binaryPlist.js';
import { posted } from './changes.js';
import { type Fact, fact, NOTHING } from './Fact.js';
import type { FactWorld } from './FactWorld.js';

const LINK = { balloon_bundle_id: 'com.apple.messages.URLBalloonProvider' };

/** A row that Messages writes for this account. */
function ours(world: FactWorld, to: string, text: string, columns = {}) {
  world.clock.jumpWall(1);
  const date = appleDate(world.clock.now());
  const row = { is_from_me: 1, account: 'E:operator@example.com', text, date, ...columns };
  return world.writer.insertMessage(row, world.writer.directChat(to));
}

/** A text of the agent that was sent and proven. */
function sent(world: FactWorld, to: string, text: string) {
  const seq = world.send(to, text);
  const { guid } = ours(world, to, text);
  world.store.write(() => world.store.sends.settle(seq, { state: 'sent', guid }));
}

/** Links, whose previews may be rows of their own. */
export const LINKS: Fact[] = [
  fact('the preview of a link in the agent’s own text is no answer of an operator', (world) => {
    world.settings.pause_on_operator_reply = true;
    const from = world.acquaintance();
    sent(world, from, 'look at https://example.com/a now');
    ours(world, from, 'https://example.com/a', LINK);
    expect(world.news()).toMatchObject({ ...NOTHING, skipped: { own: 1, preview: 1 } });
    expect(world.after(200_000).types).toEqual([]);
  }),
  fact('nor is it over a restart, nor before the row of its text', (world) => {
    const from = world.acquaintance();
    sent(world, from, 'see https://example.com/b');
    world.news();
    world.restart();
    ours(world, from, 'https://example.com/b', LINK);
    expect(world.news()).toMatchObject({ ...NOTHING, skipped: { preview: 1 } });
    ours(world, from, 'https://example.com/c', LINK);
    expect(world.news()).toMatchObject(NOTHING);
    sent(world, from, 'see https://example.com/c');
    expect(world.news()).toMatchObject(NOTHING);
    expect(world.after(1000)).toMatchObject(NOTHING);
  }),
  fact('but a link that an operator sends from another device is, and the same link again too', (world) => {
    const from = world.acquaintance();
    sent(world, from, 'look at https://example.com/d now');
    ours(world, from, 'https://example.com/d', LINK);
    ours(world, from, 'https://example.com/d', LINK);
    ours(world, from, 'https://example.com/e', LINK);
    world.news();
    expect(world.after(500).events.map(({ details }) => details.text)).toEqual([
      'https://example.com/d',
      'https://example.com/e',
    ]);
  }),
  fact('an automatic answer of Messages while its owner drives is no answer of an operator', (world) => {
    ours(world, world.acquaintance(), 'I’m driving', { is_auto_reply: 1 });
    expect(world.news()).toMatchObject({ ...NOTHING, skipped: { own: 1 } });
  }),
  fact('another link that the text before only begins with is a message', (world) => {
    const from = world.person();
    world.receive({ from, text: 'first https://e.example/x now' });
    world.receive({ from, text: 'https://e.example', columns: LINK });
    world.news();
    expect(world.after(500).texts).toEqual(['https://e.example']);
  }),
  fact('a link that is sent again after its text and preview is a message', (world) => {
    const from = world.person();
    const link = 'https://f.example/x';
    world.writer.happenings.sendLink(from, `look: ${link}`, link, { date: world.clock.now() });
    world.receive({ from, text: link, columns: LINK });
    expect(world.news().skipped).toEqual({ preview: 1 });
    expect(world.after(500).texts).toEqual([link]);
  }),
  ...[30_000, 65_000, 89_000].map((ms) =>
    fact(`two previews of one link ${ms / 1000} s apart are one message, over a restart too`, (world) => {
      const from = world.person();
      const link = 'https://g.example/x';
      world.receive({ from, text: link, columns: LINK });
      world.news();
      expect(world.after(500).texts).toEqual([link]);
      world.restart();
      world.clock.advance(ms - 500);
      world.receive({ from, text: link, columns: LINK });
      expect(world.news()).toMatchObject({ texts: [], skipped: { preview: 1 } });
      expect(world.after(60_000).texts).toEqual([]);
    }),
  ),
  fact('a link sent twice with a text between, or 95 s apart, is two messages', (world) => {
    const from = world.person();
    const link = 'https://h.example/x';
    const sends = (text: string, columns = LINK) => world.receive({ from, text, columns });
    sends(link);
    world.news();
    expect(world.after(20_000).texts).toEqual([link]);
    world.receive({ from, text: 'did you see it?' });
    sends(link);
    world.news();
    expect(world.after(500).messages.map(({ text }) => text)).toContain(link);
    world.clock.advance(95_000);
    sends(link);
    world.news();
    expect(world.after(500).texts).toEqual([link]);
  }),
  fact('a tapback of the sender is no text between', (world) => {
    const from = world.person();
    const chat = world.writer.directChat(from);
    const link = 'https://i.example/x';
    const first = world.receive({ from, text: link, columns: LINK });
    world.news();
    world.after(10_000);
    world.writer.happenings.react({ to: first.guid, from, chat, kind: 'like', date: world.clock.now() });
    world.news();
    world.after(30_000);
    world.receive({ from, text: link, columns: LINK });
    expect(world.news()).toMatchObject({ texts: [], skipped: { preview: 1 } });
  }),
  fact('the same link from two people of a group is two messages', (world) => {
    const [ann, bob] = [world.person(), world.person()];
    const chat = world.writer.groupChat([ann, bob]);
    const link = 'https://j.example/x';
    world.receive({ from: ann, text: link, chat, columns: LINK });
    world.receive({ from: bob, text: link, chat, columns: LINK });
    world.news();
    expect(world.after(500).messages.map(({ sender }) => sender)).toEqual([ann, bob]);
  }),
  fact('a preview spelled differently from its text is the same link', (world) => {
    const from = world.person();
    world.receive({ from, text: 'see HTTPS://K.example/x/?utm_source=sms now' });
    world.receive({ from, text: 'https://www.k.example/x', columns: LINK });
    expect(world.after(500)).toMatchObject({ skipped: { preview: 1 } });
  }),
  fact('a link of a text that lacks it joins that text, whether it was posted or not', (world) => {
    const [ann, bob] = [world.person(), world.person()];
    const link = 'https://l.example/x';
    const preview = (from: string, text: { guid: string }) =>
      world.receive({ from, text: link, columns: { ...LINK, reply_to_guid: text.guid } });
    const together = world.receive({ from: ann, text: 'look at this' });
    preview(ann, together);
    world.news();
    expect(world.store.incoming.open(ann, 9).map(({ message }) => message.text)).toEqual([
      `look at this\n${link}`,
    ]);
    const first = world.receive({ from: bob, text: 'look at this' });
    posted(world, first.guid);
    world.news();
    world.clock.advance(1500);
    preview(bob, first);
    expect(world.news()).toMatchObject({
      texts: [],
      events: [
        {
          eventType: 'message_edited',
          details: { message_guid: first.guid, text: `look at this\n${link}` },
        },
      ],
    });
    world.restart();
    expect(world.after(60_000)).toMatchObject(NOTHING);
  }),
  fact(
    'where edits are not reported, the link of a text that was posted without it is a message',
    (world) => {
      const from = world.person();
      const text = world.receive({ from, text: 'look at this' });
      posted(world, text.guid);
      world.news();
      world.settings.edits = false;
      world.receive({
        from,
        text: 'https://p.example/x',
        columns: { ...LINK, reply_to_guid: text.guid },
      });
      expect(world.news()).toMatchObject({ texts: ['https://p.example/x'], types: [] });
    },
  ),
  fact(
    'a link that only follows another text, as reply_to_guid says of nearly all, is a message',
    (world) => {
      const from = world.person();
      const before = world.receive({ from, text: 'good morning' });
      world.news();
      world.clock.advance(8_000);
      const columns = { ...LINK, reply_to_guid: before.guid };
      world.receive({ from, text: 'https://m.example/x', columns });
      world.news();
      expect(world.after(500).texts).toEqual(['https://m.example/x']);
    },
  ),
  fact('a preview without text is read from its payload, or belongs to the text that it names', (world) => {
    const [ann, bob, eve] = [world.person(), world.person(), world.person()];
    const payload_data = encodeBinaryPlist({ $objects: ['$null', 'https://n.example/x'] });
    world.receive({ from: ann, text: 'see https://n.example/x' });
    world.receive({ from: ann, columns: { ...LINK, payload_data } });
    const named = world.receive({ from: bob, text: 'see https://n.example/y' });
    world.receive({ from: bob, columns: { ...LINK, reply_to_guid: named.guid } });
    world.receive({ from: eve, columns: { ...LINK, payload_data } });
    expect(world.news().skipped).toEqual({ preview: 2 });
    expect(world.after(500).texts).toEqual(['https://n.example/x']);
  }),
  fact('a link of the operator and its copy are one answer', (world) => {
    const to = world.acquaintance();
    ours(world, to, 'https://o.example/x', LINK);
    world.news();
    expect(world.after(500).types).toEqual(['operator_replied']);
    world.clock.advance(45_000);
    ours(world, to, 'https://o.example/x', LINK);
    expect(world.news()).toMatchObject({ ...NOTHING, skipped: { preview: 1 } });
    expect(world.after(200_000)).toMatchObject(NOTHING);
  }),
];
