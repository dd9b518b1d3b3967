import { expect } from 'vitest';
import { type Fact, fact, NOTHING } from './Fact.js';
import type { FactWorld } from './FactWorld.js';

const audio = (transcription: string | null = null) => ({
  attachments: [{ name: 'Audio Message.caf', mimeType: 'audio/x-caf', transcription }],
  columns: { is_audio_message: 1 },
  textIn: 'both' as const,
});

function posted(world: FactWorld, guid: string): void {
  const record = world.store.incoming
    .openConversations()
    .flatMap((name) => world.store.incoming.open(name, 50));
  const seq = record.find(({ message }) => message.guid === guid)?.seq ?? 0;
  world.store.write(() => world.store.incoming.postStarted(seq, 0));
}

/** Audio messages. */
export const AUDIO: Fact[] = [
  fact('the transcription of an audio message is an attribute of its file', (world) => {
    world.receive({ from: world.person(), ...audio(' see you at five ') });
    expect(world.news().messages).toMatchObject([
      { text: '', attachments: [{ mimeType: 'audio/x-caf', transcription: 'see you at five' }] },
    ]);
  }),
  fact('an audio message without it is not delayed', (world) => {
    world.receive({ from: world.person(), ...audio() });
    const [message] = world.news().messages;
    expect(message?.attachments[0]).not.toHaveProperty('transcription');
  }),
  fact(
    'an audio message may have no body at all: it was not unsent, whether it was posted or waits',
    (world) => {
      const [ann, bob] = [world.person(), world.person()];
      const bare = { ...audio(), stages: ['row', 'chat', 'attachments', 'transfers'] as const };
      const message = world.receive({ from: ann, ...bare });
      world.receive({ from: bob, ...bare, columns: { is_audio_message: 1, is_empty: 1 } });
      expect(world.news().messages).toHaveLength(2);
      posted(world, message.guid);
      expect(world.after(61_000).types).toEqual([]);
      expect(world.store.incoming.open(bob, 9)).toHaveLength(1);
    },
    13,
  ),
  fact(
    'transcribed later, it is reported once; before the message was posted, it is posted with it',
    (world) => {
      const from = world.person();
      const message = world.receive({ from, ...audio() });
      world.news();
      posted(world, message.guid);
      world.writer.happenings.transcribe(message, 'call me');
      expect(world.after(1000).events).toMatchObject([
        {
          eventType: 'message_transcribed',
          threadId: from,
          details: { message_guid: message.guid, text: 'call me', sender: from, is_group: false },
        },
      ]);
      world.restart();
      expect(world.after(61_000)).toMatchObject(NOTHING);
      const second = world.receive({ from, ...audio() });
      world.news();
      world.writer.happenings.transcribe(second, 'in time');
      expect(world.after(1000).types).toEqual([]);
      expect(world.store.incoming.find(second.guid)?.attachments[0]?.transcription).toBe('in time');
    },
    13,
  ),
  fact(
    'an audio message whose file and transcription both come late: the file is reported first, with its transcription',
    (world) => {
      const stages = ['row', 'text', 'chat'] as const;
      const message = world.receive({ from: world.person(), ...audio(), stages });
      world.news();
      expect(world.after(10_000).messages).toHaveLength(1);
      posted(world, message.guid);
      world.writer.happenings.transcribe(message, 'call me');
      expect(world.after(1000).types).toEqual([]);
      message.write('attachments');
      expect(world.after(1000).types).toEqual(['message_attachments', 'message_transcribed']);
      expect(world.store.incoming.find(message.guid)?.attachments[0]?.transcription).toBe('call me');
      expect(world.after(61_000)).toMatchObject(NOTHING);
    },
    13,
  ),
  fact(
    'forward.transcriptions: false',
    (world) => {
      world.settings.transcriptions = false;
      const message = world.receive({ from: world.person(), ...audio() });
      world.news();
      posted(world, message.guid);
      world.writer.happenings.transcribe(message, 'call me');
      expect(world.after(1000)).toMatchObject(NOTHING);
    },
    13,
  ),
];
