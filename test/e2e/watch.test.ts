import { expect, test } from 'vitest';
import { type Cleanup, EdgeWorld, PERSON } from '../support/EdgeWorld.js';
import { until } from '../support/until.js';

const SERVED = { 'monitor.enabled': true, 'monitor.port': 0 };

async function watched(cleanup: Cleanup, ...options: string[]) {
  const world = await EdgeWorld.open(cleanup, { settings: SERVED });
  const daemon = await world.start();
  const watch = world.spawn(['watch', ...options]);
  const complains = (words: string, count = 1) =>
    until(
      () => watch.complaints().split(words).length > count,
      () => `${count} × ${words}; it said ${watch.complaints()}`,
    );
  await complains('Watching.');
  return { world, daemon, watch, complains };
}

test('watch shows texts, commands and the link as they happen, and no text unless asked for', async (cleanup) => {
  const { world, watch } = await watched(cleanup);
  world.mac.chatDb.receive({ from: PERSON, text: 'a private matter' });
  await watch.line(/^\d\d:\d\d:\d\d message {6}← \+1•••1234 {2}16 characters$/);
  await watch.line(/message {6}→ \+1•••1234 {2}\d+ characters/);
  await watch.line(/command {6}send_message_now \S+ completed/);
  await watch.line(/send {9}\+1•••1234 sent after \d+ ms/);
  await world.cli('pause');
  await watch.line(/pause {8}The pauses changed/);
  world.mac.chatDb.writeSent({ handle: PERSON, text: 'I take it from here' });
  await watch.line(/message {6}→ \+1•••1234 {2}operator: 19 characters$/);
  const of = (type: string) => watch.lines().flatMap((line) => line.split(` ${type} `).slice(1));
  expect(of('presence')).toHaveLength(1);
  expect(of('status').filter((words, index, all) => words === all[index - 1])).toEqual([]);
  const shown = watch.lines().join('\n');
  expect(shown).not.toMatch(/private|3105551234/);
  expect(shown).not.toContain('\u001b');
  expect((await watch.kill('SIGINT')).code).toBe(0);
});

test('with --texts, --type and --conversation it shows only those', async (cleanup) => {
  const { world, watch } = await watched(
    cleanup,
    ...['--texts', '--type', 'message', '--conversation', '(310) 555-1234', '--json'],
  );
  world.mac.chatDb.receive({ from: '+13105559999', text: 'somebody else' });
  world.mac.chatDb.receive({ from: PERSON, text: 'line one\nline two' });
  await watch.line('you said: line one');
  const entries = watch.lines().map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(entries[0]).toMatchObject({
    ...{ type: 'message', direction: 'in', conversation: PERSON, sender: PERSON },
    ...{ text: 'line one\nline two', characters: 17, at: expect.stringMatching(/^2.*Z$/) },
  });
  for (const entry of entries) expect(entry).toMatchObject({ type: 'message', conversation: PERSON });
});

test('it continues over a restart of the agent, on another port, and after the secret was rotated', async (cleanup) => {
  const { world, daemon, watch, complains } = await watched(cleanup, '--texts');
  await daemon.kill('SIGTERM');
  await complains('waiting for it.');
  await world.start();
  await complains('Watching.', 2);
  expect((await world.cli('monitor', 'rotate')).exitCode).toBe(0);
  await complains('Watching.', 3);
  world.mac.chatDb.receive({ from: PERSON, text: 'still there?' });
  await watch.line(/← \+13105551234 {2}still there\?/);
});

test('without an agent it waits, and a frame that it cannot understand is reported', async (cleanup) => {
  const world = await EdgeWorld.open(cleanup, { settings: SERVED });
  const watch = world.spawn(['watch']);
  await until(
    () => watch.complaints().includes('No edge-agent is running'),
    () => watch.complaints(),
  );
  expect((await watch.kill('SIGTERM')).code).toBe(0);
  const wrong = await world.cli('watch', '--type', 'news');
  expect(wrong).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('"news" is not a type') });
});

/** The texts that a watch with `--json --texts` printed, and the cursor behind the last of them. */
function read(lines: readonly string[]): { texts: string[]; cursor: string } {
  const records = lines.map((line) => JSON.parse(line) as { text: string; cursor: string });
  return { texts: records.map(({ text }) => text), cursor: records.at(-1)?.cursor ?? '' };
}

const READER = ['watch', '--json', '--texts', '--type', 'message'];

test('watch --since continues where a killed reader left off, over kill -9 of the agent, with nothing missed or shown twice', async (cleanup) => {
  const { world, daemon, watch } = await watched(cleanup, ...READER.slice(1));
  world.mac.chatDb.receive({ from: PERSON, text: 'first' });
  await watch.line('you said: first');
  await watch.kill('SIGKILL');
  const before = read(watch.lines());
  expect(before.texts[0]).toBe('first');

  world.mac.chatDb.receive({ from: PERSON, text: 'while nobody reads' });
  await until(
    () => world.texts.includes('you said: while nobody reads'),
    () => `the answer; there are ${world.texts.join(', ')}`,
  );
  await daemon.kill('SIGKILL');
  world.mac.chatDb.writeSent({ handle: PERSON, text: 'by hand' });
  world.mac.chatDb.receive({ from: PERSON, text: 'while nothing runs' });
  await world.start();

  const next = world.spawn([...READER, '--since', before.cursor]);
  world.mac.chatDb.receive({ from: PERSON, text: 'last' });
  await next.line('you said: last');
  const all = [...before.texts, ...read(next.lines()).texts];
  const said = ['first', 'while nobody reads', 'while nothing runs', 'last'];
  expect(all.filter((text) => said.includes(text))).toEqual(said);
  for (const text of said) expect(all.filter((other) => other === `you said: ${text}`)).toHaveLength(1);
  expect(all.filter((text) => text === 'by hand')).toHaveLength(1);

  expect((await next.kill('SIGINT')).code).toBe(0);
  const { cursor } = read(next.lines());
  expect(next.complaints()).toContain(`edge-agent watch --since ${cursor}`);
});
