import { describe, expect, test } from 'vitest';
import type { ConversationDetail } from '../../src/model/operatorApi.js';
import { page, tableUnder } from '../docs/page.js';
import { EdgeWorld, PERSON } from '../support/EdgeWorld.js';
import { until } from '../support/until.js';

const OTHER = '+13105559876';
const MASKED = '+1•••1234';

async function shown(world: EdgeWorld, ...args: string[]): Promise<ConversationDetail> {
  const { stdout, stderr, exitCode } = await world.cli('conversations', 'show', ...args, '--json');
  expect(exitCode, stderr).toBe(0);
  return JSON.parse(stdout) as ConversationDetail;
}

/** Every key of a verb's JSON output is in its row of docs/operating.md. */
function expectDocumented(verb: string, ...objects: object[]): void {
  const row = tableUnder('## Output for programs', page('docs/operating.md')).find(([verbs]) =>
    verbs?.includes(verb),
  );
  for (const key of objects.flatMap(Object.keys))
    if (key !== 'schema') expect(row?.[1], `${verb}: ${key}`).toContain(`\`${key}\``);
}

describe('the conversations in the terminal', { concurrent: true }, () => {
  test('show what was received and sent in order, without texts and numbers unless asked', async (context) => {
    const world = await EdgeWorld.open(context);
    const daemon = await world.start();
    world.mac.chatDb.receive({ from: PERSON, text: 'what nobody else may read' });
    await world.inChatDb(2);
    const id = world.command('and a secret answer');
    await world.acked(id);
    await world.cli('send', PERSON, 'a later secret', '--at', '23:59');

    const list = await world.cli('conversations');
    expect(list.stdout).toMatch(/^\+1•••1234 .* ago$/m);
    const plain = await world.cli('conversations', 'show', MASKED);
    expect(plain.stdout).toMatch(
      /^\+1•••1234\n.* {2}← {2}25 characters {2}answered\n(?:.* {2}→ .* {2}sent \(iMessage.*\)\n){2}.* {2}→ {2}19 characters {2}sent \(iMessage, command .*\)\n.* {2}→ {2}14 characters {2}\(scheduled: .*\)\n$/,
    );
    for (const { stdout } of [list, plain]) expect(stdout).not.toMatch(/nobody|secret|13105551234/);

    const conversation = await shown(world, PERSON);
    expect(conversation).toMatchObject({
      conversation: MASKED,
      name: null,
      paused: false,
      waiting: 0,
      parked: 0,
    });
    expect(
      conversation.messages.map(({ direction, state, attempts, text }) => [direction, state, attempts, text]),
    ).toEqual([
      ['in', 'answered', 1, null],
      ['out', 'sent', 1, null],
      ['out', 'sent', 1, null],
      ['out', 'sent', 1, null],
    ]);
    expectDocumented('`conversations show`', conversation, conversation.messages[0] ?? {});
    const entries = JSON.parse((await world.cli('conversations', '--json')).stdout) as {
      conversations: object[];
    };
    expectDocumented('`conversations list`', entries, entries.conversations[0] ?? {});

    const withTexts = await world.cli('conversations', 'show', PERSON, '--texts');
    expect(withTexts.stdout).toMatch(
      /\+13105551234\n.*nobody else(.*\n){3}.*a secret answer.*\n.*a later secret/,
    );

    await daemon.kill('SIGTERM');
    const stopped = await world.cli('conversations', 'show', MASKED);
    expect(stopped.stdout).toBe(plain.stdout);
    expect(stopped.stderr).toMatch(/No agent is running; its store was used/);
  });

  test('show what is paused, what waits and what was set aside', async (context) => {
    const world = await EdgeWorld.open(context);
    await world.start();
    await world.cli('pause', PERSON, '--incoming');
    world.mac.chatDb.receive({ from: PERSON, text: 'hold on' });
    world.command('wait');
    await until(
      async () =>
        /paused, 1 waiting for the backend, 1 to be sent$/m.test((await world.cli('conversations')).stdout),
      () => 'the message and the text to wait',
    );
    expect(await shown(world, PERSON)).toMatchObject({ paused: true, waiting: 1, unsent: 1 });
  });

  test('are found by the beginning of their number if it is unique', async (context) => {
    const world = await EdgeWorld.open(context);
    await world.start();
    for (const to of [PERSON, OTHER]) await world.acked(world.command('hello', { thread_id: to }));
    expect((await shown(world, '+13105551')).conversation).toBe(MASKED);
    const several = await world.cli('conversations', 'show', '+131055');
    expect(several.exitCode).toBe(1);
    expect(several.stderr).toMatch(/may be any of 2: .*\+1•••1234/);
    expect(several.stderr).toContain('+1•••9876');
    const nobody = await world.cli('conversations', 'show', '+13105550000');
    expect(nobody.stderr).toMatch(/Nothing is stored of a conversation \+13105550000/);
  });
});
