import { expect, test } from 'vitest';
import { type PersonaAnswer, scripted } from '../../src/kit/backend/persona.js';
import { EdgeWorld, PERSON } from '../support/EdgeWorld.js';
import { until } from '../support/until.js';

const REPLY: PersonaAnswer = { bubbles: ['first of two', 'second of two'] };

/** Log lines with `trace` as their field or in their message, without time, level and fields. */
function followed(world: EdgeWorld, trace: string): string[] {
  return world
    .log()
    .filter((line) => new RegExp(` (trace=|Command |WebSocket: )${trace}( |$)`).test(line))
    .map((line) => line.replace(/^\S+ \S+ /, '').replace(/ trace=.*$/, ''));
}

test('one id leads from an incoming message to the texts that answered it, and from a command to its send', async (context) => {
  const world = await EdgeWorld.open(context, { persona: scripted([REPLY]) });
  await world.start();
  const { guid } = world.mac.chatDb.receive({ from: PERSON, text: 'hello' });
  await world.sent(2);
  const command = world.command('from a command', { in_reply_to: guid });
  await until(
    () => world.log().filter((line) => line.includes('A text was sent')).length === 3,
    () => 'three texts in the log',
  );
  await until(
    () => followed(world, command).length === 3,
    () => 'the end of the command in the log',
  );
  const sent = `✅ Command ${command} executed successfully`;
  expect(followed(world, guid)).toEqual([
    'Received a message',
    'The backend answered a message',
    'A text was sent',
    'A text was sent',
  ]);
  const told = followed(world, command);
  expect(told[0]).toBe(`📥 Received command via WebSocket: ${command}`);
  expect(told.slice(1).toSorted()).toEqual(['A text was sent', sent].toSorted());
  expect(world.log().find((line) => line.includes(`trace=${command} answers=${guid} send=`))).toBeDefined();
  expect(world.log().join('\n')).not.toMatch(/of two|from a command|hello/);
});
