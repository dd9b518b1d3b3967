import { describe, expect, test } from 'vitest';
import { type PersonaAnswer, scripted, silent } from '../../src/kit/backend/persona.js';
import { EdgeWorld, PERSON } from '../support/EdgeWorld.js';

const OTHER = '+13105559876';
const REPLY: PersonaAnswer = { bubbles: ['Sorry, I did not get that.'] };

/** Resolves with the events of a type, once there are so many. */
async function events(world: EdgeWorld, type: string, count = 1) {
  const found = () => world.backend.journal.events.filter(({ body }) => body.event_type === type);
  await world.backend.until(() => found().length >= count);
  return found().map(({ body }) => body);
}

describe('events besides messages', { concurrent: true }, () => {
  test('reactions, edits, unsends and group changes reach the backend as events', async (context) => {
    const world = await EdgeWorld.open(context, { persona: silent });
    const { chatDb } = world.mac;
    const group = chatDb.groupChat([PERSON, OTHER]);
    await world.start();
    const changed = chatDb.receive({ from: PERSON, text: 'at 5' });
    const oops = chatDb.receive({ from: PERSON, text: 'oops' });
    await world.backend.until(() => world.backend.messages.length === 2);
    const chat = chatDb.directChat(PERSON);
    chatDb.happenings.react({ to: changed.guid, from: PERSON, chat, kind: 'emoji', emoji: '🎉' });
    chatDb.happenings.edit(changed, 'at 6');
    chatDb.happenings.unsend(oops);
    chatDb.happenings.changeGroup(group, { kind: 'renamed', by: OTHER, title: 'Trip' });
    expect(await events(world, 'reaction_added')).toMatchObject([
      { thread_id: PERSON, details: { message_guid: changed.guid, reaction: 'emoji', emoji: '🎉' } },
    ]);
    expect(await events(world, 'message_edited')).toMatchObject([
      { thread_id: PERSON, details: { message_guid: changed.guid, text: 'at 6' } },
    ]);
    expect(await events(world, 'message_unsent')).toMatchObject([{ details: { message_guid: oops.guid } }]);
    expect(await events(world, 'group_renamed')).toMatchObject([
      { thread_id: group.identifier, details: { title: 'Trip', by: OTHER } },
    ]);
    expect(world.backend.messages).toHaveLength(2);
    const log = world.log().join('\n');
    for (const text of ['at 6', 'Trip', OTHER]) expect(log).not.toContain(text);
  });

  test('a transcription comes with its audio message or after it; a sign-in code is reported without its text', async (context) => {
    const world = await EdgeWorld.open(context, { persona: silent });
    const { chatDb } = world.mac;
    await world.start();
    const columns = { is_audio_message: 1 };
    const file = { name: 'Audio Message.caf', mimeType: 'audio/x-caf' };
    chatDb.receive({ from: PERSON, attachments: [{ ...file, transcription: 'at five' }], columns });
    const later = chatDb.receive({ from: PERSON, attachments: [file], columns });
    await world.backend.until(() => world.backend.messages.length === 2);
    expect(world.backend.messages.map(({ body }) => [body.filtered_text, body.attachments])).toMatchObject([
      ['at five', [{ mime_type: 'audio/x-caf', transcription: 'at five' }]],
      ['', [{ filename: 'Audio Message.caf' }]],
    ]);
    chatDb.happenings.transcribe(later, 'or at six');
    expect(await events(world, 'message_transcribed')).toMatchObject([
      { thread_id: PERSON, details: { message_guid: later.guid, text: 'or at six' } },
    ]);
    chatDb.receive({ from: '72000', text: 'Your code is 482913', service: 'SMS' });
    const filtered = await events(world, 'message_filtered');
    expect(filtered).toMatchObject([{ thread_id: '72000', details: { reason: 'one_time_code' } }]);
    expect(JSON.stringify(world.backend.journal.events)).not.toContain('482913');
    expect(world.log().join('\n')).not.toMatch(/482913|at five|or at six/);
  });

  test('an operator’s answer is reported, the agent’s own are not, and the agent is silent until it is resumed', async (context) => {
    const world = await EdgeWorld.open(context, {
      persona: scripted([{ bubbles: ['on it', 'just a moment'] }]),
      settings: { 'outgoing.pause_on_operator_reply': true },
    });
    const daemon = await world.start();
    world.mac.chatDb.receive({ from: PERSON, text: 'help' });
    await world.sent(2);
    await events(world, 'message_sent', 2);
    expect(world.backend.journal.events.map(({ body }) => body.event_type)).not.toContain('operator_replied');

    world.mac.chatDb.writeSent({ handle: PERSON, text: 'I take it from here' });
    expect(await events(world, 'operator_replied')).toMatchObject([
      { thread_id: PERSON, details: { text: 'I take it from here' } },
    ]);
    expect(await events(world, 'conversation_paused')).toMatchObject([{ details: { reason: 'operator' } }]);
    const waiting = world.command('from the agent');
    const { snapshot } = await daemon.statusUntil(({ snapshot: seen }) => seen?.sends_queued === 1);
    expect(snapshot).toMatchObject({
      state: 'healthy',
      paused: [{ conversation: PERSON, reason: 'operator' }],
    });
    expect(world.texts).toHaveLength(2);
    expect(await world.cli('resume', '(310) 555-1234')).toMatchObject({
      exitCode: 0,
      stdout: `Resumed: ${PERSON}\n`,
    });
    expect(await world.acked(waiting)).toMatchObject({ status: 'completed' });
    expect(world.texts.at(-1)).toBe('from the agent');
    expect(await events(world, 'operator_replied')).toHaveLength(1);
  });

  test('two machines that answer each other are stopped after eight rounds', async (context) => {
    const world = await EdgeWorld.open(context, { persona: scripted(Array(20).fill(REPLY)) });
    const daemon = await world.start();
    for (let round = 1; round <= 9; round++) {
      world.mac.chatDb.receive({ from: PERSON, text: 'I am a machine. Please rephrase.' });
      if (round <= 8) await events(world, 'message_sent', round);
    }
    expect(await events(world, 'conversation_paused')).toMatchObject([
      { thread_id: PERSON, details: { reason: 'loop', exchanges: 8 } },
    ]);
    const { exitCode, snapshot } = await daemon.statusUntil(({ snapshot: seen }) => seen?.sends_queued === 1);
    expect(exitCode).toBe(4);
    expect(snapshot).toMatchObject({
      problems: [{ code: 'sending_paused' }],
      paused: [{ conversation: PERSON, reason: 'loop' }],
    });
    expect(world.texts).toHaveLength(8);
    expect((await world.cli('status')).stdout).toContain(
      `PAUSED  ${PERSON} (two machines answered each other`,
    );
    await world.cli('resume', 'all');
    await world.sent(9);
  });

  test('pause stops everything, over a restart too, until resume', async (context) => {
    const world = await EdgeWorld.open(context, { persona: silent });
    const daemon = await world.start();
    expect(await world.cli('resume', PERSON)).toMatchObject({ exitCode: 1 });
    expect(await world.cli('pause', '--config', world.configPath)).toMatchObject({
      exitCode: 0,
      stdout: 'Paused: everything. Texts wait.\nTo resume: edge-agent resume\n',
    });
    await world.cli('pause', OTHER);
    const id = world.command('wait for it');
    await daemon.statusUntil(({ snapshot }) => snapshot?.sends_queued === 1);
    await daemon.kill('SIGKILL');
    const again = await world.start();
    const { exitCode, snapshot } = await again.status();
    expect([exitCode, snapshot?.problems.map(({ code }) => code)]).toEqual([4, ['sending_paused']]);
    expect(world.texts).toEqual([]);
    const { stdout } = await world.cli('resume', OTHER);
    expect(stdout).toBe(`Resumed: ${OTHER}\nStill paused: everything. To resume: edge-agent resume\n`);
    expect(await world.cli('resume', 'all')).toMatchObject({ stdout: 'Resumed: everything\n' });
    expect(await world.acked(id)).toMatchObject({ status: 'completed' });
    expect(world.texts).toEqual(['wait for it']);
    expect(await world.cli('resume', 'all')).toMatchObject({ exitCode: 0, stdout: 'Nothing was paused.\n' });
  });
});
