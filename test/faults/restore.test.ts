import { cpSync, existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { sharedPlaces } from '../../src/daemon/Continuity.js';
import type { PersonaAnswer } from '../../src/kit/backend/persona.js';
import { InstanceLock } from '../../src/store/InstanceLock.js';
import { openDatabase } from '../../src/store/sqlite.js';
import type { DaemonProcess } from '../support/DaemonProcess.js';
import { AGENT_ID, EdgeWorld, PERSON } from '../support/EdgeWorld.js';
import { sized } from '../support/size.js';
import { untilIdle } from '../support/statusOf.js';
import { until } from '../support/until.js';

const RUN = { concurrent: true } as const;
const CLOCK = pathToFileURL(join(import.meta.dirname, '../support/shiftedClock.mjs')).href;
const ANSWER: PersonaAnswer = { bubbles: ['found it', 'want the link?'] };
const persona = () => ANSWER;

/** How an older copy of the state directory is put in its place. */
const WAYS = {
  'copied back (new inodes)': (copy: string, state: string) => {
    rmSync(state, { recursive: true });
    cpSync(copy, state, { recursive: true, preserveTimestamps: true });
  },
  'moved back (the inodes of the copy)': (copy: string, state: string) => {
    renameSync(state, `${state}.newer`);
    renameSync(copy, state);
  },
  'written over the files that are there (same inodes)': (copy: string, state: string) => {
    for (const name of ['edge-agent.db-wal', 'edge-agent.db-shm']) rmSync(join(state, name), { force: true });
    for (const name of ['edge-agent.db', 'edge-agent.db-wal', 'edge-agent.db-shm'])
      if (existsSync(join(copy, name))) cpSync(join(copy, name), join(state, name));
  },
} as const;

function copyOf(world: EdgeWorld): string {
  const copy = join(world.directory, 'backup');
  const filter = (path: string) => !path.endsWith('.sock');
  cpSync(world.state, copy, { recursive: true, preserveTimestamps: true, filter });
  return copy;
}

async function stopped(daemon: DaemonProcess): Promise<void> {
  expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
}

/** The texts that are in one of these states. */
function waitingTexts(world: EdgeWorld, states: readonly string[] = ['queued']): unknown[] {
  const database = openDatabase(join(world.state, 'edge-agent.db'));
  try {
    const select = database.prepare('SELECT text FROM sends WHERE state IN (SELECT value FROM json_each(?))');
    return select.pluck().all(JSON.stringify(states));
  } finally {
    database.close();
  }
}

const codes = async (daemon: DaemonProcess) =>
  (await daemon.status()).snapshot?.problems.map(({ code }) => code);

/** Each once, however often it was delivered. */
const eventsOf = (world: EdgeWorld, type: string) =>
  world.backend.journal.events
    .filter(({ body }) => body.event_type === type)
    .filter(
      ({ body }, index, all) => all.findIndex((other) => other.body.event_id === body.event_id) === index,
    );

describe.each(Object.entries(WAYS))('an older state directory, %s', RUN, (_, putBack) => {
  test('sends no bubble of a reply and no scheduled text a second time, and says so', async (context) => {
    const world = await EdgeWorld.open(context, { persona, durableBackend: true });
    const first = await world.start();
    const sendAt = new Date(Date.now() + 4_000).toISOString();
    const { commandId } = world.backend.pushCommand({
      command_type: 'schedule_message',
      payload: { thread_id: PERSON, text: 'good morning', send_at: sendAt },
    });
    await world.acked(commandId);
    await stopped(first);
    const copy = copyOf(world);

    const second = await world.start();
    world.mac.chatDb.receive({ from: PERSON, text: 'can you find it?' });
    await world.sent(3);
    const done = world.command('done by the newer one');
    await world.acked(done);
    await world.inChatDb(4);
    await stopped(second);
    putBack(copy, world.state);

    const third = await world.start();
    expect(await codes(third)).toEqual(['state_restored']);
    await third.line('The store is older than what this agent has done');
    expect(await world.acked(commandId, 2)).toMatchObject({ status: 'completed' });
    await untilIdle(world.state);
    const fresh = world.command('sent after the restore');
    expect(await world.acked(fresh)).toMatchObject({ status: 'completed' });
    await untilIdle(world.state);
    await stopped(third);
    expect(world.texts.toSorted()).toEqual(
      [
        'done by the newer one',
        'found it',
        'good morning',
        'sent after the restore',
        'want the link?',
      ].toSorted(),
    );
    expect(eventsOf(world, 'state_restored')).toHaveLength(1);
    expect(eventsOf(world, 'operator_replied')).toEqual([]);
  });
});

/** Runs until everything is done, is stopped, and what it did meanwhile is forgotten: an older copy is restored. */
async function forgetting(
  world: EdgeWorld,
  live: (daemon: DaemonProcess) => Promise<void>,
): Promise<DaemonProcess> {
  await stopped(await world.start());
  const copy = copyOf(world);
  const daemon = await world.start();
  await live(daemon);
  await untilIdle(world.state);
  await stopped(daemon);
  WAYS['copied back (new inodes)'](copy, world.state);
  return world.start();
}

/** A command that the backend offers, or offers again, as if it had been made then. */
function offer(world: EdgeWorld, text: string, madeAt: number, id?: string): string {
  const named = id === undefined ? {} : { command_id: id };
  const payload = { thread_id: PERSON, text };
  const timestamp = new Date(madeAt).toISOString();
  return world.backend.pushCommand({ command_type: 'send_message_now', payload, timestamp, ...named })
    .commandId;
}

describe('after an older state directory was restored', RUN, () => {
  test('a command that is offered again is acked as sent, by the row that it has in chat.db', async (context) => {
    const world = await EdgeWorld.open(context);
    const madeAt = Date.now();
    await forgetting(world, async () => void (await world.acked(offer(world, 'once', madeAt))));
    const again = offer(world, 'once', madeAt);
    const ack = await world.acked(again);
    expect(ack).toMatchObject({ status: 'completed', result: { outcome: 'sent', confirmed: true } });
    // Above every ack that the store may have forgotten: it is certain.
    expect(ack.revision).toBeGreaterThan(1_000);
    expect(world.texts).toEqual(['once']);
  });

  test('as many texts with the same content are sent as are wanted', async (context) => {
    const world = await EdgeWorld.open(context);
    const times: number[] = [];
    await forgetting(world, async () => {
      for (let nth = 0; nth < 2; nth++) {
        times.push(Date.now());
        await world.acked(offer(world, 'ok', times[nth] ?? 0));
      }
    });
    for (const at of [...times, ...times.slice(-1), Date.now()]) await world.acked(offer(world, 'ok', at));
    expect(world.texts).toEqual(['ok', 'ok', 'ok', 'ok']);
  });

  test('a message that was answered with another text is not answered again, and that is reported', async (context) => {
    let nth = 0;
    const changing = () => ({ bubbles: [`answer ${nth++}`] });
    const world = await EdgeWorld.open(context, { persona: changing });
    await forgetting(world, async () => {
      world.mac.chatDb.receive({ from: PERSON, text: 'how are you?' });
      await world.inChatDb(1);
    });
    await untilIdle(world.state);
    expect(world.texts).toEqual(['answer 0']);
  });

  test('a message that was never answered is answered, though other texts were sent after it', async (context) => {
    const world = await EdgeWorld.open(context, { persona });
    await stopped(await world.start());
    const copy = copyOf(world);
    const daemon = await world.start();
    world.backend.failHttp(503, 100, { path: '/edge/message' });
    world.mac.chatDb.receive({ from: PERSON, text: 'can you find it?' });
    await world.acked(world.command('something else'));
    await world.inChatDb(1);
    await daemon.kill('SIGKILL');
    world.backend.clearHttpFaults();
    WAYS['copied back (new inodes)'](copy, world.state);
    await world.start();
    await world.inChatDb(3);
    await untilIdle(world.state);
    expect(world.texts).toEqual(['something else', 'found it', 'want the link?']);
    expect(eventsOf(world, 'message_failed')).toEqual([]);
  });

  test('a scheduled text that was cancelled since is not sent, and that is reported as unknown', async (context) => {
    const world = await EdgeWorld.open(context);
    const first = await world.start();
    const sendAt = Date.now() + 15_000;
    const payload = { thread_id: PERSON, text: 'too early', send_at: new Date(sendAt).toISOString() };
    const { commandId } = world.backend.pushCommand({ command_type: 'schedule_message', payload });
    const { result } = await world.acked(commandId);
    await stopped(first);
    const copy = copyOf(world);
    const second = await world.start();
    const cancel = { command_type: 'cancel_scheduled', payload: { schedule_id: result?.schedule_id } };
    await world.acked(world.backend.pushCommand(cancel).commandId);
    const cancelled = await world.acked(commandId, 2);
    await until(
      () => Date.now() > sendAt,
      () => 'the time of the text',
    );
    await world.acked(world.command('still at work'));
    await stopped(second);
    WAYS['copied back (new inodes)'](copy, world.state);
    await world.start();
    await until(
      () => eventsOf(world, 'message_failed').length > 0,
      () => 'the report',
    );
    expect(eventsOf(world, 'message_failed')[0]?.body.details).toMatchObject({ outcome: 'unknown' });
    expect(world.texts).toEqual(['still at work']);
    // A doubt never replaces what the backend knows better.
    const { backend } = world;
    const words = () => backend.acks.filter(({ body }) => body.command_id === commandId);
    await backend.until(() => words().some(({ body }) => body.result?.restored === true));
    expect(await world.backend.commands.lastAck(AGENT_ID, commandId)).toEqual(cancelled);
  });

  test('a text that is too late by now, and was sent in time, is acked as sent', async (context) => {
    const world = await EdgeWorld.open(context, { settings: { 'commands.max_age_seconds': 15 } });
    let madeAt = 0;
    await forgetting(world, async () => {
      madeAt = Date.now();
      await world.acked(offer(world, 'in time', madeAt));
    });
    await until(
      () => Date.now() - madeAt > 15_500,
      () => 'the command to be old',
    );
    expect(await world.acked(offer(world, 'in time', madeAt))).toMatchObject({ status: 'completed' });
    expect(await world.acked(offer(world, 'never sent', madeAt))).toMatchObject({ status: 'failed' });
    expect(world.texts).toEqual(['in time']);
  });

  test('rows with reassigned ROWIDs prove the texts that they are, and no others', async (context) => {
    const world = await EdgeWorld.open(context, { persona });
    const madeAt = Date.now();
    await forgetting(world, async () => {
      await world.acked(offer(world, 'once', madeAt));
      world.mac.chatDb.receive({ from: PERSON, text: 'can you find it?' });
      await world.inChatDb(3);
      world.mac.chatDb.receive({ from: PERSON, text: 'thanks' });
      await world.inChatDb(5);
      world.mac.chatDb.rewrites.rebuild((rowIds) => rowIds.toReversed());
    });
    const ack = await world.acked(offer(world, 'once', madeAt));
    expect(ack).toMatchObject({ status: 'completed', result: { outcome: 'sent', confirmed: true } });
    await untilIdle(world.state);
    expect(world.texts).toEqual(['once', 'found it', 'want the link?', 'found it', 'want the link?']);
    expect(eventsOf(world, 'operator_replied')).toEqual([]);
  });

  test('with all that is recorded outside of it restored as well, nothing is sent twice', async (context) => {
    const world = await EdgeWorld.open(context);
    await stopped(await world.start());
    const outside = join(world.directory, '.edge-agent');
    cpSync(outside, `${outside}.backup`, { recursive: true, preserveTimestamps: true });
    const copy = copyOf(world);
    const madeAt = Date.now();
    const daemon = await world.start();
    await world.acked(offer(world, 'once', madeAt));
    await stopped(daemon);
    WAYS['copied back (new inodes)'](copy, world.state);
    WAYS['copied back (new inodes)'](`${outside}.backup`, outside);
    const restored = await world.start();
    expect(await codes(restored)).toEqual(['state_restored']);
    expect(await world.acked(offer(world, 'once', madeAt))).toMatchObject({ status: 'completed' });
    expect(world.texts).toEqual(['once']);
  });
});

const HOUR_MS = 3_600_000;

/** The clock of the Mac is set: of the daemons that are started from now on, and of chat.db. */
function setClock(world: EdgeWorld, offsetMs: number): void {
  const file = join(world.directory, 'clock-offset');
  writeFileSync(file, String(offsetMs));
  Object.assign(world.place.env, { NODE_OPTIONS: `--import ${CLOCK}`, CLOCK_FILE: file });
  world.mac.setClock(offsetMs);
}

describe.each([
  ['an hour behind', -HOUR_MS],
  ...sized<(readonly [string, number])[]>([], [['an hour ahead', HOUR_MS]]),
] as const)(
  'what was sent while the clock was %s, in a chat.db with reassigned ROWIDs',
  RUN,
  (_, offsetMs) => {
    test('is not sent again where the copy has it waiting, nor reported as an operator’s', async (context) => {
      const world = await EdgeWorld.open(context);
      const doomed = await world.start();
      for (const text of ['known', 'known too']) await world.acked(world.command(text));
      world.behave({ kind: 'ok', slowMs: 1_000 });
      const first = world.command('first');
      await world.calls(3);
      const second = world.command('second');
      await until(
        () => waitingTexts(world).includes('second'),
        () => 'the second text to wait',
      );
      await doomed.kill('SIGKILL');
      const copy = copyOf(world);
      await world.inChatDb(3);
      setClock(world, offsetMs);
      // The backend may refuse a token by such a clock; the text is still sent.
      const daemon = await world.startDegraded();
      await world.inChatDb(4);
      await until(
        () => !waitingTexts(world, ['queued', 'attempting', 'confirming']).includes('second'),
        () => 'the second text to be proven',
      );
      await stopped(daemon);
      world.mac.chatDb.rewrites.rebuild((rowIds) => rowIds.toReversed());
      WAYS['copied back (new inodes)'](copy, world.state);
      setClock(world, 0);
      await world.start();
      for (const id of [first, second]) expect(await world.acked(id)).toMatchObject({ status: 'completed' });
      await untilIdle(world.state);
      expect(world.texts).toEqual(['known', 'known too', 'first', 'second']);
      expect(eventsOf(world, 'operator_replied')).toEqual([]);
    });

    test('is not sent again where the backend offers it again', async (context) => {
      const world = await EdgeWorld.open(context);
      const before = await world.start();
      for (const text of ['known', 'known too']) await world.acked(world.command(text));
      await untilIdle(world.state);
      await stopped(before);
      const copy = copyOf(world);
      const madeAt = Date.now();
      setClock(world, 0);
      const daemon = await world.start();
      setClock(world, offsetMs);
      for (const text of ['once', 'another']) await world.acked(offer(world, text, madeAt));
      await untilIdle(world.state);
      await stopped(daemon);
      world.mac.chatDb.rewrites.rebuild((rowIds) => rowIds.toReversed());
      WAYS['copied back (new inodes)'](copy, world.state);
      setClock(world, 0);
      await world.start();
      const ack = await world.acked(offer(world, 'once', madeAt));
      expect(ack).toMatchObject(
        offsetMs < 0 ? { status: 'failed', result: { outcome: 'unknown' } } : { status: 'completed' },
      );
      await untilIdle(world.state);
      expect(world.texts).toEqual(['known', 'known too', 'once', 'another']);
      expect(eventsOf(world, 'operator_replied')).toEqual([]);
    });
  },
);

describe('a state directory that was deleted', RUN, () => {
  test('costs no second text, though the backend offers everything again', async (context) => {
    const world = await EdgeWorld.open(context, { persona });
    const madeAt = Date.now();
    const sendAt = new Date(madeAt + 1_500).toISOString();
    const later = { thread_id: PERSON, text: 'later', send_at: sendAt };
    const schedule = () =>
      world.backend.pushCommand({
        command_type: 'schedule_message',
        payload: later,
        timestamp: new Date(madeAt).toISOString(),
      });
    const daemon = await world.start();
    await world.acked(offer(world, 'once', madeAt));
    await world.acked(schedule().commandId, 2);
    world.mac.chatDb.receive({ from: PERSON, text: 'can you find it?' });
    await world.inChatDb(4);
    await untilIdle(world.state);
    await stopped(daemon);
    rmSync(world.state, { recursive: true });
    const fresh = await world.start();
    expect(await codes(fresh)).toEqual(['state_shared']);
    expect(await world.acked(offer(world, 'once', madeAt))).toMatchObject({ status: 'completed' });
    expect(await world.acked(schedule().commandId, 2)).toMatchObject({ status: 'completed' });
    expect(world.texts.toSorted()).toEqual(['found it', 'later', 'once', 'want the link?']);
  });
});

describe('two state directories on one chat.db', RUN, () => {
  test('the second agent is refused while the first runs, and compares with chat.db after it', async (context) => {
    const world = await EdgeWorld.open(context);
    const madeAt = Date.now();
    const first = await world.start();
    await world.acked(offer(world, 'once', madeAt));
    world.writeConfig({ 'state.directory': join(world.directory, 'other') });
    const refused = await world.cli('run');
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toContain('Another edge-agent uses the same chat.db');
    expect(refused.stderr).toContain(world.state);
    await stopped(first);
    const second = await world.start();
    expect(await codes(second)).toEqual(['state_shared']);
    expect(await world.acked(offer(world, 'once', madeAt))).toMatchObject({ status: 'completed' });
    await world.acked(world.command('by the second'));
    await stopped(second);
    world.writeConfig({});
    const back = await world.start();
    expect(await codes(back)).toEqual(['state_shared']);
    expect(await world.acked(offer(world, 'by the second', madeAt))).toMatchObject({ status: 'completed' });
    expect(world.texts).toEqual(['once', 'by the second']);
  });
});

/** The agent may make a file there between the last one's end and the directory's. */
const WHILE_IT_WRITES = { recursive: true, maxRetries: 10, retryDelay: 50 };

describe('a state directory, while the agent runs on it', RUN, () => {
  test.for(['moved', 'removed'] as const)(
    'that is %s: nothing is read, and the status says so',
    async (how, context) => {
      const world = await EdgeWorld.open(context, { persona });
      const daemon = await world.start();
      await world.acked(world.command('before'));
      const aside = `${world.state}.aside`;
      if (how === 'moved') renameSync(world.state, aside);
      else rmSync(world.state, WHILE_IT_WRITES);
      // The status also reports a sync that fails meanwhile.
      const { snapshot } = await daemon.statusUntil(({ snapshot: now }) => now?.state === 'degraded');
      expect(snapshot?.problems[0]?.code).toBe('state_moved');
      expect(daemon.complaints()).toContain('was removed or moved away');
      const meanwhile = world.command('meanwhile');
      world.mac.chatDb.receive({ from: PERSON, text: 'can you find it?' });
      const beside = await world.cli('run');
      expect(beside.exitCode).toBe(1);
      expect(beside.stderr).toContain('Another edge-agent uses the same chat.db');
      expect(world.acksOf(meanwhile)).toEqual([]);
      expect(world.texts).toEqual(['before']);
      if (how === 'removed') return;
      rmSync(world.state, { ...WHILE_IT_WRITES, force: true });
      renameSync(aside, world.state);
      expect(await world.acked(meanwhile)).toMatchObject({ status: 'completed' });
      await world.sent(4);
      await daemon.statusUntil(({ snapshot: now }) => now?.state === 'healthy');
    },
  );

  test('that is replaced by an older copy: the agent ends, and the next one sends nothing twice', async (context) => {
    const world = await EdgeWorld.open(context);
    await stopped(await world.start());
    const copy = copyOf(world);
    const madeAt = Date.now();
    const daemon = await world.start();
    await world.acked(offer(world, 'once', madeAt));
    renameSync(world.state, `${world.state}.aside`);
    renameSync(copy, world.state);
    expect(await daemon.exited).toMatchObject({ code: 1 });
    expect(daemon.complaints()).toContain('was replaced by another one');
    const next = await world.start();
    expect(await codes(next)).toEqual(['state_restored']);
    expect(await world.acked(offer(world, 'once', madeAt))).toMatchObject({ status: 'completed' });
    expect(world.texts).toEqual(['once']);
  });
});

test('an agent ends whose lock was deleted and taken by another one', async (context) => {
  const world = await EdgeWorld.open(context);
  const daemon = await world.start();
  const { lock } = sharedPlaces(world.mac.chatDbPath, world.directory);
  const other = InstanceLock.acquire(`${lock}.new`);
  context.onTestFinished(() => other.release());
  renameSync(`${lock}.new`, lock);
  expect(await daemon.exited).toMatchObject({ code: 1 });
  expect(daemon.complaints()).toContain('another edge-agent has taken it');
});

test('an agent that can record nothing outside of its state directory reports that, and sends', async (context) => {
  const world = await EdgeWorld.open(context);
  writeFileSync(join(world.directory, '.edge-agent'), 'no directory');
  const daemon = await world.start();
  expect(await codes(daemon)).toEqual(['witness_unwritable']);
  expect(await world.acked(world.command('sent all the same'))).toMatchObject({ status: 'completed' });
});

describe('in normal running', RUN, () => {
  test('an operator who wrote the same text blocks no text from being sent', async (context) => {
    const world = await EdgeWorld.open(context, { persona: () => ({ bubbles: ['ok'] }) });
    await stopped(await world.start());
    world.mac.chatDb.receive({ from: PERSON, text: 'see you at nine' });
    const madeAt = Date.now();
    world.mac.chatDb.writeSent({ chat: world.mac.chatDb.directChat(PERSON), text: 'ok' });
    world.mac.chatDb.writeSent({ chat: world.mac.chatDb.directChat(PERSON), text: 'on my way' });
    offer(world, 'on my way', madeAt);
    const daemon = await world.start();
    await world.sent(2);
    expect(await codes(daemon)).toEqual([]);
    expect(world.texts.toSorted()).toEqual(['ok', 'on my way']);
  });

  test('a state directory that was moved with no work in between is as it was', async (context) => {
    const world = await EdgeWorld.open(context);
    await stopped(await world.start());
    const copy = copyOf(world);
    WAYS['copied back (new inodes)'](copy, world.state);
    expect(await codes(await world.start())).toEqual([]);
    expect(eventsOf(world, 'state_restored')).toEqual([]);
  });
});
