import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PersonaAnswer } from '../../src/kit/backend/persona.js';
import { type EdgeWorld, PERSON } from '../support/EdgeWorld.js';

/** What happens to a daemon that is to die of it, and what must have come of it in the end. */
export interface Story {
  /** Makes the faults that the step needs; before the daemon is started. */
  prepare?: (world: EdgeWorld) => void;
  /** Lets it happen, with the daemon online. Returns the ids of the commands, each with the last revision of its ack. */
  begin: (world: EdgeWorld) => Map<string, number> | Promise<Map<string, number>>;
  /** Every text that must have been sent, in order; of a file its name. */
  texts: readonly string[];
  /** The images that the backend must have. */
  images?: readonly string[];
}

export const ANSWER: PersonaAnswer = { reflex: 'one sec', bubbles: ['found it', 'want the link?'] };

/** A message comes in; the backend pushes a reflex and replies with three bubbles, the first being that reflex. */
export const message: Story = {
  begin({ mac }) {
    mac.chatDb.receive({ from: PERSON, text: 'can you find it?' });
    return new Map();
  },
  texts: ['one sec', 'found it', 'want the link?'],
};

/** The same, but the backend fails at first. */
export const refusedMessage: Story = {
  ...message,
  prepare: ({ backend }) => backend.failHttp(503, 1, { path: '/edge/message' }),
};

const COMMANDS = ['first', 'second', 'third'];

/** Three commands for one conversation come at once: the second has to wait for the first. */
export const commands: Story = {
  begin: (world) => new Map(COMMANDS.map((text) => [world.command(text), 1])),
  texts: COMMANDS,
};

/** The same, but the row of the first comes long after osascript has ended: on a busy machine too the agent sees the end first. */
export const lateRow: Story = {
  ...commands,
  prepare: (world) => world.behave({ kind: 'ok', row: { kind: 'late', afterMs: 3_000 } }),
};

/** The same, but Messages does not know the chat of the first at first. */
export const unknownChat: Story = {
  ...commands,
  prepare: (world) => world.behave({ kind: 'error', number: -1728, when: 'before' }),
};

/** One command comes while the text of another is on its way, so that it can only be stored. */
export const queued: Story = {
  prepare: (world) => world.behave({ kind: 'ok', slowMs: 300 }),
  async begin(world) {
    const first = world.command('first');
    await world.calls(1);
    return new Map([
      [first, 1],
      [world.command('second'), 1],
    ]);
  },
  texts: ['first', 'second'],
};

/** A command with a text and a file that lies on the Mac; another command behind it. */
export const file: Story = {
  begin(world) {
    const path = join(world.shared, 'menu.pdf');
    writeFileSync(path, '%PDF');
    return new Map([
      [world.command('the menu', { attachments: [{ path }] }), 1],
      [world.command('second'), 1],
    ]);
  },
  texts: ['the menu', 'menu.pdf', 'second'],
};

/** A message with an image comes in. */
export const image: Story = {
  begin(world) {
    world.receiveImage({ from: PERSON, text: 'my cat' }, 'at_0_CAFE');
    return new Map();
  },
  texts: message.texts,
  images: ['at_0_CAFE'],
};

/** A text is scheduled for a moment later. */
export const schedule: Story = {
  begin({ backend }) {
    const payload = {
      thread_id: PERSON,
      message_text: 'on time',
      send_at: new Date(Date.now() + 400).toISOString(),
    };
    const { commandId } = backend.pushCommand({ command_type: 'schedule_message', payload });
    return new Map([[commandId, 2]]);
  },
  texts: ['on time'],
};
