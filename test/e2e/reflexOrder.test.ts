import { describe, expect, test } from 'vitest';
import { type ReplyForm, scripted } from '../../src/kit/backend/persona.js';
import { EdgeWorld, PERSON } from '../support/EdgeWorld.js';

/** The forms in which a reply can hold the reflex; `reply_text` has room for one text alone. */
const FORMS = ['reply_bubbles', 'reflex_burst'] as const;
const REFLEX = 'one sec';
const TEXTS = [REFLEX, 'found it', 'want the link?'];
const ANSWERED = 'The backend answered a message';

function answer(form: ReplyForm) {
  return { reflex: REFLEX, bubbles: TEXTS.slice(1), form, burstDelayMs: 20 };
}

/** A world in which one message was posted, and reflex and reply are held back. */
async function heldWorld(context: Parameters<typeof EdgeWorld.open>[0], form: ReplyForm) {
  const world = await EdgeWorld.open(context, { persona: scripted([answer(form)]) });
  world.backend.holdReply();
  const daemon = await world.start();
  world.mac.chatDb.receive({ from: PERSON, text: 'can you find it?' });
  await world.backend.until(({ held }) => held.length === 1);
  return { world, daemon };
}

function reflexCommand({ backend }: EdgeWorld): string {
  return backend.journal.reflexes[0]?.commandId ?? 'no reflex was pushed';
}

describe('the reflex is sent once and first', { concurrent: true }, () => {
  test.for(FORMS)('when it comes before the HTTP reply (%s)', async (form, context) => {
    const { world, daemon } = await heldWorld(context, form);
    const [commandId = ''] = world.backend.releaseReflex();
    const ack = await world.acked(commandId);
    expect(ack).toMatchObject({ status: 'completed', result: { outcome: 'sent', confirmed: true } });
    expect(ack.result).not.toHaveProperty('deduplicated');
    expect(world.texts).toEqual([REFLEX]);

    await world.backend.release('replyFirst');
    await world.sent(3);
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(world.texts).toEqual(TEXTS);
    expect(world.acksOf(commandId)).toHaveLength(1);
  });

  test.for(FORMS)(
    'when the HTTP reply comes first and the late reflex is dropped (%s)',
    async (form, context) => {
      const { world, daemon } = await heldWorld(context, form);
      await world.backend.releaseReply();
      await daemon.line(ANSWERED);
      await world.sent(3);
      const [commandId = ''] = world.backend.releaseReflex();
      expect(await world.acked(commandId)).toMatchObject({
        status: 'completed',
        success: true,
        result: { outcome: 'sent', retry_safe: false, deduplicated: true },
      });
      expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
      expect(world.texts).toEqual(TEXTS);
    },
  );

  test('when it comes while the reply’s first bubble is being sent', async (context) => {
    const { world, daemon } = await heldWorld(context, 'reply_bubbles');
    world.behave({ kind: 'ok', slowMs: 400 }, { textIncludes: REFLEX });
    await world.backend.releaseReply();
    await world.calls(1);
    const [commandId = ''] = world.backend.releaseReflex();
    expect(await world.acked(commandId)).toMatchObject({
      status: 'completed',
      result: { deduplicated: true },
    });
    await world.sent(3);
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(world.texts).toEqual(TEXTS);
  });

  test.for(FORMS)('when both come at once (%s)', async (form, context) => {
    const { world, daemon } = await heldWorld(context, form);
    await world.backend.release('both');
    expect(await world.acked(reflexCommand(world))).toMatchObject({
      status: 'completed',
      result: { outcome: 'sent' },
    });
    await daemon.line(ANSWERED);
    await world.sent(3);
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(world.texts).toEqual(TEXTS);
  });

  test.for(FORMS)(
    'when Messages refuses the reflex and the reply contains it again (%s)',
    async (form, context) => {
      const { world, daemon } = await heldWorld(context, form);
      // Once for each form of the target: the chat's own guid, then the person as a participant.
      world.behave({ kind: 'error', number: -1728, when: 'before' }, { textIncludes: REFLEX, times: 2 });
      const [commandId = ''] = world.backend.releaseReflex();
      const ack = await world.acked(commandId);
      expect(ack).toMatchObject({
        status: 'failed',
        success: false,
        result: { outcome: 'not_sent', retry_safe: true },
      });
      expect(ack.error).toContain('(-1728)');
      expect(world.texts).toEqual([]);

      await world.backend.release('replyFirst');
      await world.sent(3);
      expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
      expect(world.texts).toEqual(TEXTS);
    },
  );

  test('when the reply waits for a reflex that then fails', async (context) => {
    const { world, daemon } = await heldWorld(context, 'reflex_burst');
    const refusal = { kind: 'error', number: -1728, when: 'before', slowMs: 400 } as const;
    world.behave(refusal, { textIncludes: REFLEX, times: 2 });
    const [commandId = ''] = world.backend.releaseReflex();
    await world.calls(1);
    await world.backend.releaseReply();
    await daemon.line(ANSWERED);
    expect(world.texts).toEqual([]);
    expect(await world.acked(commandId)).toMatchObject({ status: 'failed', result: { outcome: 'not_sent' } });
    await world.sent(3);
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(world.texts).toEqual(TEXTS);
  });
});
