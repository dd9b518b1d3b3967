import { expect } from 'vitest';
import { type Fact, fact, NOTHING } from './Fact.js';

/** What is no message, or waits to be one. */
export const SKIP_REASONS: Fact[] = [
  fact('years-old rows with new ROWIDs (iCloud) are not answered', (world) => {
    world.receive({ from: world.person(), text: 'from 2019', date: Date.UTC(2019, 1, 1) });
    expect(world.news()).toMatchObject({ ...NOTHING, skipped: { stale: 1 } });
  }),
  fact('the balloon of an app is no text', (world) => {
    world.writer.happenings.sendApp(world.person(), 'com.apple.messages.Polls', world.clock.now());
    expect(world.news()).toMatchObject({ texts: [], types: ['message_filtered'], skipped: { app: 1 } });
  }),
  ...(['Handwriting.HandwritingProvider', 'DigitalTouchBalloonProvider'] as const).map((balloon) =>
    fact(`the balloon of com.apple.${balloon} is no text`, (world) => {
      const columns = { balloon_bundle_id: `com.apple.${balloon}` };
      world.receive({ from: world.person(), text: '\ufffd', columns });
      expect(world.news()).toMatchObject({ texts: [], skipped: { app: 1 } });
    }),
  ),
  fact('junk is left out', (world) => {
    world.receive({ from: world.person(), text: 'win', columns: { is_spam: 1 } });
    expect(world.news()).toMatchObject({ ...NOTHING, skipped: { spam: 1 } });
  }),
  fact('a row marked as corrupt is left out', (world) => {
    world.receive({ from: world.person(), text: '?', columns: { is_corrupt: 1 } });
    expect(world.news()).toMatchObject({ ...NOTHING, skipped: { damaged: 1 } });
  }),
  fact('locations, kept audio and calls are notices (item_type 4, 5, 6)', (world) => {
    const from = world.person();
    for (const item_type of [4, 5, 6]) world.receive({ from, text: 'x', columns: { item_type } });
    expect(world.news()).toMatchObject({ ...NOTHING, skipped: { system: 3 } });
  }),
  fact('system and service messages are notices', (world) => {
    const from = world.person();
    world.receive({ from, text: 'x', columns: { is_system_message: 1 } });
    world.receive({ from, text: 'x', columns: { is_service_message: 1 } });
    expect(world.news()).toMatchObject({ ...NOTHING, skipped: { system: 2 } });
  }),
  fact('a whitespace-only receipt is empty', (world) => {
    world.receive({ from: world.person(), text: ' \n' });
    world.news();
    expect(world.after(600_000)).toMatchObject({ ...NOTHING, skipped: { empty: 1 } });
  }),
  fact(
    'an own text that waits in Send Later is nothing yet',
    (world) => {
      const chat = world.writer.directChat(world.acquaintance());
      world.writer.happenings.sendLater(chat, 'tomorrow', world.clock.now());
      expect(world.news()).toMatchObject({ ...NOTHING, skipped: { schedule: 1 } });
    },
    15,
  ),
  fact('the preview of a link, in a row of its own, is folded into the text before it', (world) => {
    const link = 'https://a.example/x';
    const date = world.clock.now();
    world.writer.happenings.sendLink(world.person(), `look: ${link}`, link, { date });
    expect(world.news()).toMatchObject({ texts: [`look: ${link}`], skipped: { preview: 1 } });
  }),
  fact('the preview of a link may come before its text', (world) => {
    const link = 'https://a.example/y/';
    const date = world.clock.now();
    world.writer.happenings.sendLink(world.person(), `see ${link}`, link, { date, previewFirst: true });
    expect(world.news()).toMatchObject({ texts: [`see ${link}`], skipped: { preview: 1 } });
  }),
  fact('a link without a text around it is a message, half a second later at most', (world) => {
    const columns = { balloon_bundle_id: 'com.apple.messages.URLBalloonProvider' };
    world.receive({ from: world.person(), text: 'https://b.example', columns });
    expect(world.news().texts).toEqual([]);
    expect(world.after(500).texts).toEqual(['https://b.example']);
  }),
  fact('the same link from another person, or in another chat, is no preview', (world) => {
    const link = 'https://c.example';
    const [ann, bob] = [world.person(), world.person()];
    const columns = { balloon_bundle_id: 'com.apple.messages.URLBalloonProvider' };
    world.receive({ from: ann, text: `mine ${link}` });
    world.receive({ from: bob, text: link, columns });
    world.receive({ from: ann, text: link, columns, chat: world.writer.groupChat([ann, bob]) });
    world.news();
    expect(world.after(500).texts).toEqual([link, link]);
  }),
];
