import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readTranscript } from '../../src/kit/transcript/entry.js';
import { EdgeWorld, PERSON, SECRET } from '../support/EdgeWorld.js';

const URL_IN_LINE = /http:\/\/127\.0\.0\.1:\d+/;

async function recordStory(world: EdgeWorld, file: string): Promise<void> {
  const recorder = world.spawn(['record', world.backend.url, '--listen', '0', '--out', file]);
  const [url = ''] = URL_IN_LINE.exec(await recorder.line('BACKEND_URL=')) ?? [];
  world.writeConfig({ 'backend.url': url });
  const daemon = await world.start();
  world.mac.chatDb.receive({ from: PERSON, text: 'what is the time?' });
  await world.sent(2);
  const pushed = world.command('a text of its own');
  await world.acked(pushed);
  await daemon.statusUntil(({ snapshot }) => snapshot?.acks_undelivered === 0);
  expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
  expect(await recorder.kill('SIGTERM')).toMatchObject({ code: 0 });
}

test('a recording of a real agent and its backend can be replayed to either of them', async (context) => {
  const world = await EdgeWorld.open(context);
  const file = join(world.directory, 'transcript.jsonl');
  await recordStory(world, file);
  const text = readFileSync(file, 'utf8');
  for (const theirs of [SECRET, PERSON, 'what is the time?', 'one sec', 'a text of its own']) {
    expect(text).not.toContain(theirs);
  }
  const replayed = readTranscript(file).entries.flatMap((entry) =>
    entry.kind === 'frame' && Object(entry.frame).type === 'command'
      ? [Object(entry.frame).data.payload.text]
      : [],
  );
  expect(replayed).toHaveLength(2);

  // The agent's side, to the backend: it answers as it did then.
  const args = ['replay', file, '--to', world.backend.url, '--speed', '4'];
  world.place.env.EDGE_SECRET = SECRET;
  const posted = world.backend.messages.length;
  const { stdout } = await world.cli(...args);
  expect(stdout).toMatch(/^POST \/edge\/message: HTTP 200$/m);
  expect(world.backend.messages.length).toBe(posted + 1);
  expect(world.backend.messages.at(-1)?.body.thread_id).toMatch(/^\+12015550\d+$/);

  // The backend's side, to a new agent: the same texts are sent again.
  const other = await EdgeWorld.open(context);
  const player = other.spawn(['replay', file, '--listen', '0', '--speed', '4']);
  const [url = ''] = URL_IN_LINE.exec(await player.line('listens on')) ?? [];
  other.writeConfig({ 'backend.url': url });
  const daemon = await other.start();
  other.mac.chatDb.receive({ from: PERSON, text: 'and now?' });
  await other.sent(3);
  expect(other.texts).toEqual(expect.arrayContaining(replayed));
  expect(new Set(other.texts).size).toBe(3);
  expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
  expect(await player.kill('SIGTERM')).toMatchObject({ code: 0 });
});

test('a file that is no transcript is refused with its line', async (context) => {
  const world = await EdgeWorld.open(context);
  const file = join(world.directory, 'x.jsonl');
  const head = '{"kind":"transcript","schema":1,"version":"0","at":"2026-11-20T08:00:00.000Z"}';
  for (const [content, said] of [
    ['hello', 'its first line does not identify it'],
    [`${head}\n{"at":1,"kind":"dance"}\n`, 'line 2'],
  ] as const) {
    writeFileSync(file, content);
    const { exitCode, stderr } = await world.cli('replay', file, '--listen', '0');
    expect(exitCode).toBe(2);
    expect(stderr).toContain(said);
  }
  expect((await world.cli('replay', file)).stderr).toContain('give either --to or --listen');
});
