import { expect } from 'vitest';
import { type Fact, fact, NOTHING } from './Fact.js';

/** Files that Messages joins to their message long after it is there. */
export const FILES: Fact[] = [
  fact(
    'a photo alone whose file is not joined after 10 s is a message; its file is found when it comes',
    (world) => {
      const from = world.person();
      const photo = world.receive({ from, attachments: [{}], stages: ['row', 'text', 'chat'] });
      expect(world.news()).toMatchObject(NOTHING);
      expect(world.after(10_000)).toMatchObject({
        messages: [{ guid: photo.guid, text: '', attachments: [] }],
        skipped: {},
      });
      world.after(30_000);
      world.lateFiles.length = 0;
      photo.complete();
      world.after(1000);
      const { guid } = photo.attachments[0] ?? {};
      expect(world.lateFiles).toEqual([guid]);
      expect(world.store.incoming.find(photo.guid)?.attachments).toMatchObject([
        { guid, mimeType: 'image/jpeg', filename: 'IMG_0.jpeg', sizeBytes: 1024 },
      ]);
      world.restart();
      world.after(61_000);
      expect(world.lateFiles).toEqual([guid]);
    },
  ),
  fact(
    'a file of any kind that joins a message which the backend has is reported, once, over restarts too',
    (world) => {
      const from = world.person();
      const attachments = [{ name: 'menu.pdf', mimeType: 'application/pdf' }];
      const message = world.receive({ from, text: 'the menu', attachments, stages: ['row', 'text', 'chat'] });
      world.news();
      world.after(10_000);
      for (const { seq } of world.store.incoming.open(from, 1))
        world.store.write(() => world.store.incoming.postStarted(seq, 0));
      message.complete();
      expect(world.after(1000).events).toMatchObject([
        {
          eventType: 'message_attachments',
          threadId: from,
          details: {
            message_guid: message.guid,
            sender: from,
            attachments: [
              {
                guid: message.attachments[0]?.guid,
                mime_type: 'application/pdf',
                filename: 'menu.pdf',
                size_bytes: 1024,
              },
            ],
          },
        },
      ]);
      world.restart();
      expect(world.after(61_000).types).toEqual([]);
    },
  ),
  fact('the photo of a caption that was read without it is found hours later, over a restart', (world) => {
    const stages = ['row', 'text', 'chat'] as const;
    const photo = world.receive({ from: world.person(), text: 'look', attachments: [{}], stages });
    world.news();
    expect(world.after(10_000).messages).toMatchObject([{ text: 'look', attachments: [] }]);
    world.clock.advance(5 * 3600_000);
    world.lateFiles.length = 0;
    photo.complete();
    world.restart();
    world.after(1000);
    expect(world.lateFiles).toEqual(photo.attachments.map(({ guid }) => guid));
  }),
  fact(
    'a file of a message that was unsent meanwhile is not reported',
    (world) => {
      const photo = world.receive({
        from: world.person(),
        attachments: [{}],
        stages: ['row', 'text', 'chat'],
      });
      world.news();
      world.after(10_000);
      world.writer.happenings.unsend(photo, world.clock.now());
      world.lateFiles.length = 0;
      photo.write('attachments');
      world.after(1000);
      world.after(61_000);
      expect(world.lateFiles).toEqual([]);
    },
    13,
  ),
  fact('neither a hidden file nor one that came with its message is reported late', (world) => {
    world.lateFiles.length = 0;
    world.receive({ from: world.person(), text: 'a', attachments: [{}, { hidden: true }] });
    world.news();
    world.after(61_000);
    expect(world.lateFiles).toEqual([]);
  }),
];
