import { copyFileSync, cpSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openDatabase } from '../../src/store/sqlite.js';
import type { DaemonProcess } from '../support/DaemonProcess.js';
import { EdgeWorld } from '../support/EdgeWorld.js';
import { untilIdle } from '../support/statusOf.js';
import { until } from '../support/until.js';

const OTHERS = ['+13105551001', '+13105551002'];
const persona = () => ({ bubbles: ['found it'] });

/** Is killed while a text is under way, and a copy from before that is put back; `meanwhile`: before it starts again. */
async function restoredWhile(
  world: EdgeWorld,
  send: () => Promise<void>,
  meanwhile: () => void = () => undefined,
): Promise<DaemonProcess> {
  const first = await world.start();
  await world.acked(world.command('known'));
  expect(await first.kill('SIGTERM')).toMatchObject({ code: 0 });
  const copy = join(world.directory, 'backup');
  const filter = (path: string) => !path.endsWith('.sock');
  cpSync(world.state, copy, { recursive: true, preserveTimestamps: true, filter });
  const doomed = await world.start();
  await send();
  await doomed.kill('SIGKILL');
  rmSync(world.state, { recursive: true });
  cpSync(copy, world.state, { recursive: true, preserveTimestamps: true });
  meanwhile();
  return world.start();
}

/** chat.db becomes another file with reassigned ROWIDs. */
function replaceChatDb({ mac }: EdgeWorld): void {
  mac.chatDb.rewrites.rebuild((rowIds) => rowIds.toReversed());
  copyFileSync(mac.chatDbPath, `${mac.chatDbPath}.new`);
  renameSync(`${mac.chatDbPath}.new`, mac.chatDbPath);
}

test.for([
  ['the same', false],
  ['another file', true],
] as const)(
  'a text under way at the kill holds up nobody else’s texts or messages after a restore, and its own conversation for seconds (chat.db is %s)',
  async ([, isOther], context) => {
    const world = await EdgeWorld.open(context, { persona, durableBackend: true });
    for (const other of OTHERS) world.mac.chatDb.directChat(other);
    let lost = '';
    await restoredWhile(
      world,
      async () => {
        world.behave({ kind: 'hang', when: 'after', row: { kind: 'none' } });
        lost = world.command('lost');
        await world.calls(2);
      },
      () => {
        if (isOther) replaceChatDb(world);
      },
    );
    const behind = world.command('behind it');
    const others = OTHERS.map((thread_id) => world.command(`to ${thread_id}`, { thread_id }));
    for (const from of OTHERS) world.mac.chatDb.receive({ from, text: 'can you find it?' });
    for (const id of others) await world.acked(id);
    await world.backend.until(({ journal }) => journal.replies.length === OTHERS.length);
    // Nothing is known of it yet when everybody else has been served.
    expect(world.acksOf(lost)).toEqual([]);
    expect(await world.acked(lost)).toMatchObject({ status: 'failed', result: { outcome: 'unknown' } });
    expect(await world.acked(behind)).toMatchObject({ status: 'completed' });
    expect(world.texts.filter((text) => text === 'lost')).toHaveLength(1);
    await untilIdle(world.state);
  },
);

test('a text of which chat.db does not tell after a restore whether it went out is told of in the status, is not sent again, and is nobody’s message', async (context) => {
  const world = await EdgeWorld.open(context, { durableBackend: true });
  let begun = '';
  const daemon = await restoredWhile(world, async () => {
    world.behave({ kind: 'ok', row: { kind: 'first' } });
    begun = world.command('half sent');
    await world.sent(2);
    await until(
      () => rowsOf(world, "is_from_me = 0 AND text LIKE 'half%'") === 1,
      () => 'the row in its first state',
    );
  });
  const codes = (snapshot: Awaited<ReturnType<DaemonProcess['status']>>['snapshot']) =>
    snapshot?.problems.map(({ code }) => code) ?? [];
  const { snapshot } = await daemon.statusUntil(({ snapshot: now }) =>
    codes(now).includes('texts_undecided'),
  );
  expect(snapshot?.vital_signs.can_send).toMatchObject({ state: 'failing', codes: ['texts_undecided'] });
  expect(world.acksOf(begun)).toEqual([]);
  const chatDb = openDatabase(world.mac.chatDbPath);
  chatDb.exec("UPDATE message SET is_from_me = 1, is_finished = 1, is_sent = 1 WHERE text LIKE 'half%'");
  chatDb.close();
  expect(await world.acked(begun)).toMatchObject({ status: 'completed', result: { confirmed: true } });
  await daemon.statusUntil(({ snapshot: now }) => !codes(now).includes('texts_undecided'));
  await untilIdle(world.state);
  expect(world.texts).toEqual(['known', 'half sent']);
  expect(world.backend.journal.messages).toEqual([]);
});

function rowsOf(world: EdgeWorld, condition: string): number {
  const chatDb = openDatabase(world.mac.chatDbPath, { readonly: true });
  try {
    return Number(chatDb.prepare(`SELECT count(*) FROM message WHERE ${condition}`).pluck().get());
  } finally {
    chatDb.close();
  }
}
