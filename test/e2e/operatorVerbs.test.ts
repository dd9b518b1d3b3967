import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readCalls } from '../../src/kit/messages/osascriptLog.js';
import type { CommandDetail, CommandEntry, ScheduleEntry } from '../../src/model/operatorApi.js';
import { page, tableUnder } from '../docs/page.js';
import { EdgeWorld, PERSON, SECRET } from '../support/EdgeWorld.js';
import { CLI } from '../support/program.js';
import { untilIdle } from '../support/statusOf.js';
import { until } from '../support/until.js';

/** The contract as such, and what `commands show` has in common with `commands list`. */
const COMMON_KEYS = new Set([
  'schema',
  'command_id',
  'command_type',
  'via',
  'state',
  'received_at',
  'acked_at',
  'ack_read_at',
  'ack_read_via',
  'error',
]);

const steps = (command: CommandDetail) => command.timeline.map(({ step }) => step);

async function shown(world: EdgeWorld, id: string): Promise<CommandDetail> {
  const { stdout, exitCode } = await world.cli('commands', 'show', id, '--json');
  expect(exitCode).toBe(0);
  return JSON.parse(stdout) as CommandDetail;
}

/** Every key of a verb's JSON output is in its row of docs/operating.md. */
function expectDocumented(verb: string, ...objects: object[]): void {
  const row = tableUnder('## Output for programs', page('docs/operating.md')).find(([verbs]) =>
    verbs?.includes(verb),
  );
  const [, described = ''] = row ?? [];
  for (const key of objects.flatMap(Object.keys)) {
    if (!COMMON_KEYS.has(key)) expect(described, `${verb}: ${key}`).toContain(`\`${key}\``);
  }
}

describe('the history of a command', { concurrent: true }, () => {
  test('is shown step by step, to the ack that the backend read', async (context) => {
    const world = await EdgeWorld.open(context);
    await world.start();
    const id = world.command('a text that nobody else may read');
    await world.acked(id);
    await until(
      async () => (await shown(world, id)).ack_read_at !== null,
      () => 'the ack to be read',
    );
    const command = await shown(world, id);
    expect(command).toMatchObject({
      schema: 1,
      via: 'websocket',
      state: 'completed',
      ack_read_via: 'websocket',
    });
    expect(steps(command)).toEqual([
      'received',
      'queued',
      'claimed',
      'handed_over',
      'confirmed',
      'acked',
      'ack_read',
    ]);
    expectDocumented('`commands show`', command, command.texts[0] ?? {}, command.timeline[0] ?? {});
    const times = command.timeline.map(({ at }) => Date.parse(at));
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    const forPerson = await world.cli('commands', 'show', id);
    expect(forPerson.stdout).toMatch(/ \+0\.000 s {2}received {6}by WebSocket\n/);
    expect(forPerson.stdout).toMatch(/ack read {6}read by the backend, by WebSocket\n$/);
    expect(forPerson.stdout).not.toMatch(/nobody else|13105551234/);
  });

  test('exists for a scheduled text and for one that failed', async (context) => {
    const world = await EdgeWorld.open(context);
    await world.start();
    const later = world.backend.pushCommand({
      command_type: 'schedule_message',
      payload: { thread_id: PERSON, text: 'later', send_at: new Date(Date.now() + 3_600_000).toISOString() },
    }).commandId;
    await world.acked(later);
    world.behave({ kind: 'error', number: -1743, when: 'before' }, { times: 'always' });
    const failing = world.command('not today');
    expect((await world.acked(failing)).success).toBe(false);
    expect(steps(await shown(world, later)).slice(0, 2)).toEqual(['received', 'scheduled']);
    const failed = await shown(world, failing);
    expect(failed).toMatchObject({ state: 'failed', error: expect.stringMatching(/^automation_denied: /) });
    expect(steps(failed)).toContain('failed');
    const list = await world.cli('commands', '--json');
    expectDocumented('`commands list`', JSON.parse(list.stdout) as object);
    const { commands } = JSON.parse(list.stdout) as { commands: CommandEntry[] };
    expect(commands.map(({ command_id: id, state }) => [id, state])).toEqual([
      [failing, 'failed'],
      [later, 'completed'],
    ]);
    expect((await world.cli('commands', 'list', '-n', '1')).stdout.trim().split('\n')).toHaveLength(1);
    expect((await world.cli('commands', 'list', '--open')).stdout).toBe('No command is open.\n');
    const unknown = await world.cli('commands', 'show', 'cmd_nowhere');
    expect(unknown).toMatchObject({ exitCode: 1, stdout: '' });
    expect(unknown.stderr).toContain('edge-agent commands list');
  });
});

describe('the operator and the schedule', { concurrent: true }, () => {
  test('a text that is cancelled is not sent, and the backend is notified', async (context) => {
    const world = await EdgeWorld.open(context);
    await world.start();
    const id = world.backend.pushCommand({
      command_type: 'schedule_message',
      payload: {
        thread_id: PERSON,
        text: 'see you',
        send_at: new Date(Date.now() + 3_600_000).toISOString(),
      },
    }).commandId;
    await world.acked(id);
    const list = await world.cli('schedule', '--json');
    const [entry] = (JSON.parse(list.stdout) as { scheduled: ScheduleEntry[] }).scheduled;
    expect(entry).toMatchObject({ command_id: id, status: 'pending', characters: 7 });
    expectDocumented('`schedule list`', entry ?? {});
    expect(list.stdout).not.toMatch(/see you|13105551234/);
    expect((await world.cli('schedule', 'list', '--texts')).stdout).toContain('"see you"');
    expect(await world.cli('schedule', 'cancel', entry?.schedule_id ?? '')).toMatchObject({ exitCode: 0 });
    expect(await world.acked(id, 2)).toMatchObject({ success: false, error: 'cancelled by the operator' });
    await world.backend.until(() =>
      world.backend.events.some(({ body }) => body.event_type === 'schedule_cancelled'),
    );
    const again = await world.cli('schedule', 'cancel', id);
    expect(again).toMatchObject({ exitCode: 1, stdout: '' });
    expect(again.stderr).toContain('it is cancelled');
    expect((await world.cli('schedule', 'cancel', 'sched_none')).exitCode).toBe(1);
    expect((await world.cli('schedule')).stdout).toBe('Nothing is scheduled.\n');
    expect(steps(await shown(world, id))).toContain('cancelled');
  });
});

describe('edge-agent send', { concurrent: true }, () => {
  test('a text is sent once and confirmed; the backend gets no ack for what it did not request', async (context) => {
    const world = await EdgeWorld.open(context);
    await world.start();
    const sent = await world.cli('send', PERSON, 'hello from the operator', '--json');
    expect(sent).toMatchObject({ exitCode: 0, stderr: '' });
    const command = JSON.parse(sent.stdout) as CommandDetail;
    expect(command).toMatchObject({
      via: 'operator',
      state: 'completed',
      result: { outcome: 'sent', confirmed: true },
    });
    expect(world.texts).toEqual(['hello from the operator']);
    await world.backend.until(() =>
      world.backend.events.some(({ body }) => body.event_type === 'message_sent'),
    );
    await world.acked(world.command('and one from the backend'));
    expect(world.acksOf(command.command_id)).toEqual([]);
    await untilIdle(world.state);
  });

  test('a text may come from stdin, with its line breaks', async (context) => {
    const world = await EdgeWorld.open(context);
    await world.start();
    const { cwd, env } = world.place;
    const child = spawn(process.execPath, [CLI, 'send', PERSON, '-'], {
      cwd,
      env,
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    child.stdin.end('two\nlines\n');
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(world.texts).toEqual(['two\nlines']);
  });

  test('a file of the operator is sent, and no copy of it stays behind', async (context) => {
    const world = await EdgeWorld.open(context);
    await world.start();
    const file = join(world.directory, 'a picture.png');
    writeFileSync(file, 'png');
    expect(await world.cli('send', PERSON, 'look', '--file', file)).toMatchObject({
      exitCode: 0,
      stderr: '',
    });
    expect(readCalls(world.mac.osascriptDirectory)).toHaveLength(2);
    expect(readdirSync(join(world.state, 'handover'))).toEqual([]);
    const missing = await world.cli('send', PERSON, '--file', join(world.directory, 'none.png'));
    expect(missing).toMatchObject({ exitCode: 1, stdout: '' });
    expect(missing.stderr).toContain('cannot be sent');
  });

  test('a text that provably was not sent ends with 1, one with an unknown outcome with 5', async (context) => {
    const world = await EdgeWorld.open(context);
    await world.start();
    world.behave({ kind: 'error', number: -1743, when: 'before' });
    const failed = await world.cli('send', PERSON, 'no');
    expect(failed).toMatchObject({ exitCode: 1, stdout: '' });
    expect(failed.stderr).toContain('Not sent: automation_denied');
    await world.cli('pause');
    const waiting = await world.cli('send', PERSON, 'later', '--timeout', '1s');
    expect(waiting).toMatchObject({ exitCode: 5, stdout: '' });
    expect(waiting.stderr).toMatch(/Sending is paused there.*do not send it again/);
    const [, id = ''] = /edge-agent commands show (operator_\w+)/.exec(waiting.stderr) ?? [];
    expect((await world.cli('commands', 'show', id)).stdout).toContain(
      'It waits because its conversation is paused',
    );
    await world.cli('resume');
    await world.sent(1);
    expect(world.texts).toEqual(['later']);
  });

  test('a text for later is in the schedule and can be cancelled; the backend gets nothing about it', async (context) => {
    const world = await EdgeWorld.open(context);
    await world.start();
    const sent = await world.cli('send', PERSON, 'tomorrow', '--at', '10m');
    expect(sent).toMatchObject({ exitCode: 0, stderr: '' });
    const [, id = ''] = /edge-agent schedule cancel (\S+)/.exec(sent.stdout) ?? [];
    expect((await world.cli('schedule', 'list')).stdout).toContain(id);
    expect(await world.cli('schedule', 'cancel', id)).toMatchObject({ exitCode: 0 });
    await world.acked(world.command('behind it'));
    expect(world.backend.events.some(({ body }) => body.event_type === 'schedule_cancelled')).toBe(false);
  });

  test.for([
    [['send', PERSON], /There is no text/],
    [['send', ' ', 'x'], /There is no recipient/],
    [['send', PERSON, 'x', '--at', 'yesterday'], /--at: expected/],
    [['send', PERSON, 'x', '--at', '2020-01-01'], /is past/],
    [['send', PERSON, 'x', '--timeout', 'soon'], /--timeout: expected/],
    [['logs', '--level', 'loud'], /--level: expected debug/],
    [['logs', '--since', 'x'], /--since: expected/],
    [['logs', '--grep', '['], /not a regular expression/],
    [['logs', '-n', 'some'], /whole number, 0 or more/],
    [['queue', 'lst'], /Did you mean list\?/],
    [['schedule', 'cancle', 'x'], /Did you mean cancel\?/],
    [['commands', 'sho', 'x'], /Did you mean show\?/],
    [['completions', 'tcsh'], /Allowed choices are bash, zsh, fish/],
    [['send'], /missing required argument 'to'/],
    [['config', 'edt'], /Did you mean edit\?/],
  ] as const)('%j is refused with exit 2 and says how to correct it', async ([args, words], context) => {
    const world = await EdgeWorld.open(context);
    const { exitCode, stdout, stderr } = await world.cli(...args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(words);
    expect(stderr).toMatch(/Usage: edge-agent|More: edge-agent/);
  });
});

describe('the emergency stop', { concurrent: true }, () => {
  test('is first in the status, holds incoming messages too, and survives a restart', async (context) => {
    const world = await EdgeWorld.open(context);
    const first = await world.start();
    const paused = await world.cli('pause', '--incoming');
    expect(paused).toMatchObject({ exitCode: 0, stderr: '' });
    expect(paused.stdout).toContain('edge-agent resume');
    await first.kill('SIGKILL');
    const daemon = await world.start();
    world.mac.chatDb.receive({ from: PERSON, text: 'anybody there?' });
    world.command('kept back');
    await daemon.statusUntil(
      ({ snapshot }) => snapshot?.incoming_queued === 1 && snapshot.sends_queued === 1,
    );
    const { stdout, exitCode } = await world.cli('status');
    expect(exitCode).toBe(4);
    expect(stdout).toMatch(/^PAUSED {2}everything, incoming too \(by hand, /);
    expect(world.backend.messages).toEqual([]);
    expect((await world.cli('resume', '--incoming')).stdout).toContain('Still paused: everything');
    await world.backend.until(() => world.backend.messages.length === 1);
    expect(world.texts).toEqual([]);
    expect((await world.cli('resume')).exitCode).toBe(0);
    await world.sent(3);
    expect((await world.cli('status')).stdout).toMatch(/^edge-agent /);
  });

  test('an invalid name is refused, and a number without any message is reported', async (context) => {
    const world = await EdgeWorld.open(context);
    const daemon = await world.start();
    expect(await world.cli('pause', 'foo')).toMatchObject({
      exitCode: 1,
      stdout: '',
      stderr: expect.stringMatching(/"foo" is neither a phone number.*\nName it as /),
    });
    expect((await daemon.status()).snapshot?.paused).toEqual([]);
    const typo = await world.cli('pause', '+13105559998');
    expect(typo).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Paused: +13105559998') });
    expect(typo.stderr).toContain('No conversation +13105559998 is known in chat.db');
    expect((await world.cli('pause', PERSON)).stderr).toBe('');
    expect(await world.cli('send', 'notanumber', 'hi')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('"notanumber" is neither'),
    });
    expect((await world.cli('commands', 'list', '--json')).stdout).not.toContain('notanumber');
  });

  test('one conversation can be held alone', async (context) => {
    const world = await EdgeWorld.open(context);
    await world.start();
    await world.cli('pause', PERSON, '--incoming');
    world.mac.chatDb.receive({ from: PERSON, text: 'held' });
    world.mac.chatDb.receive({ from: '+13105559999', text: 'not held' });
    await world.backend.until(() => world.backend.messages.length === 1);
    expect(world.backend.messages[0]?.body).toMatchObject({ text: 'not held' });
    const nothing = await world.cli('resume', '+13105550000');
    expect(nothing).toMatchObject({ exitCode: 1, stdout: '' });
    await world.cli('resume', PERSON);
    await world.backend.until(() => world.backend.messages.length === 2);
  });
});

test('handed-over files of an earlier run are deleted at the start', async (context) => {
  const world = await EdgeWorld.open(context);
  const daemon = await world.start();
  await daemon.kill('SIGTERM');
  const left = join(world.state, 'handover', '0'.repeat(32));
  mkdirSync(left, { recursive: true });
  writeFileSync(join(left, 'file'), 'left');
  await world.start();
  expect(existsSync(left)).toBe(false);
});

test('no verb shows a secret, a text or a full number that it was not asked for', async (context) => {
  const world = await EdgeWorld.open(context);
  await world.start();
  const id = world.command('private words');
  await world.acked(id);
  await world.cli('send', PERSON, 'private words too', '--at', '1h');
  world.behave({ kind: 'error', number: -1743, when: 'before' });
  await world.cli('send', PERSON, 'private words as well');
  world.mac.chatDb.receive({ from: PERSON, text: 'private words of theirs' });
  await world.backend.until(() => world.backend.messages.length === 1);
  const asked = [
    ['status'],
    ['status', '--json'],
    ['commands'],
    ['commands', 'show', id],
    ['commands', 'show', id, '--json'],
    ['commands', '--json'],
    ['schedule'],
    ['schedule', '--all', '--json'],
    ['queue', '--json'],
    ['logs', '-n', '1000', '--json'],
    ['config', 'check', '--json'],
  ];
  for (const args of asked) {
    const { stdout, stderr } = await world.cli(...args);
    for (const hidden of ['private words', SECRET, PERSON, PERSON.slice(1)]) {
      expect(stdout + stderr, args.join(' ')).not.toContain(hidden);
    }
  }
});
