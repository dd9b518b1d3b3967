import { expect } from 'vitest';
import { appleDate } from '../../../src/simulator/messages/AppleDatabase.js';
import { type Fact, fact, NOTHING } from './Fact.js';
import type { FactWorld } from './FactWorld.js';

const LINK = { balloon_bundle_id: 'com.apple.messages.URLBalloonProvider' };

/** A row that Messages writes for this account. */
function ours(world: FactWorld, to: string, text: string, columns = {}) {
  const date = appleDate(world.clock.now());
  const row = { is_from_me: 1, account: 'E:operator@example.com', text, date, ...columns };
  return world.writer.insertMessage(row, world.writer.directChat(to));
}

/** A text of ours that went out and was proven. */
function sent(world: FactWorld, to: string, text: string) {
  const seq = world.send(to, text);
  const { guid } = ours(world, to, text);
  world.store.write(() => world.store.sends.settle(seq, { state: 'sent', guid }));
}

/** Links, whose previews may be rows of their own. */
export const LINKS: Fact[] = [
  fact('the preview of a link in a text of ours is no answer of a person', (world) => {
    world.settings.pause_on_operator_reply = true;
    const from = world.acquaintance();
    sent(world, from, 'look at https://example.com/a now');
    ours(world, from, 'https://example.com/a', LINK);
    expect(world.news()).toMatchObject({ ...NOTHING, leftOut: { own: 1, preview: 1 } });
    expect(world.after(200_000).types).toEqual([]);
  }),
  fact('nor is it over a restart, nor before the row of its text', (world) => {
    const from = world.acquaintance();
    sent(world, from, 'see https://example.com/b');
    world.news();
    world.restart();
    ours(world, from, 'https://example.com/b', LINK);
    expect(world.news()).toMatchObject({ ...NOTHING, leftOut: { preview: 1 } });
    ours(world, from, 'https://example.com/c', LINK);
    expect(world.news()).toMatchObject(NOTHING);
    sent(world, from, 'see https://example.com/c');
    expect(world.news()).toMatchObject(NOTHING);
    expect(world.after(1000)).toMatchObject(NOTHING);
  }),
  fact('but a link that a person sends from another device is, and the same link once more too', (world) => {
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
  fact('what Messages answers by itself while its owner drives is no answer of a person', (world) => {
    ours(world, world.acquaintance(), 'I’m driving', { is_auto_reply: 1 });
    expect(world.news()).toMatchObject({ ...NOTHING, leftOut: { own: 1 } });
  }),
  fact('another link that the text before only begins with is a message', (world) => {
    const from = world.person();
    world.receive({ from, text: 'first https://e.example/x now' });
    world.receive({ from, text: 'https://e.example', columns: LINK });
    world.news();
    expect(world.after(500).texts).toEqual(['https://e.example']);
  }),
  fact('a link that is sent once more after its text and preview is a message', (world) => {
    const from = world.person();
    const link = 'https://f.example/x';
    world.writer.happenings.sendLink(from, `look: ${link}`, link, { date: world.clock.now() });
    world.receive({ from, text: link, columns: LINK });
    expect(world.news().leftOut).toEqual({ preview: 1 });
    expect(world.after(500).texts).toEqual([link]);
  }),
];
