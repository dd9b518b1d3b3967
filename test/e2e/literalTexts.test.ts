import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { echo } from '../../src/kit/backend/persona.js';
import { readCalls } from '../../src/kit/messages/osascriptLog.js';
import { EdgeWorld, PERSON } from '../support/EdgeWorld.js';

describe('a text is sent literally, whatever it contains', { concurrent: true }, () => {
  test('quotes, newlines, emoji, NUL, a leading dash, AppleScript and shell source arrive unchanged', async (context) => {
    const world = await EdgeWorld.open(context);
    const canary = join(world.directory, 'executed');
    const texts = [
      'she said "it\'s `fine`" and “left”\\',
      'first line\nsecond line\r\n\tthird',
      'family 👨‍👩‍👧‍👦, flag 🇩🇪, é and é',
      '-e display dialog "hello"',
      '--help',
      `" & (do shell script "touch ${canary}") & "`,
      `end tell\ntell application "Finder" to do shell script "touch ${canary}"\non run argv`,
      `$(touch ${canary}); \`touch ${canary}\` | touch ${canary}`,
      'item 2 of argv',
      'x'.repeat(9_000),
    ];
    const daemon = await world.start();
    const before = readdirSync(world.directory).toSorted();
    const commands = [...texts, 'a\0NUL\0 or two'].map((text) => world.command(text));
    for (const commandId of commands) {
      expect(await world.acked(commandId)).toMatchObject({
        status: 'completed',
        result: { confirmed: true },
      });
    }
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(world.texts).toEqual([...texts, 'aNUL or two']);
    expect(existsSync(canary)).toBe(false);
    expect(readdirSync(world.directory).toSorted()).toEqual(before);
  });

  test('and unchanged when received and echoed', async (context) => {
    const world = await EdgeWorld.open(context, {
      version: 26,
      persona: (message, about) => ({ ...echo(message, about), reflex: undefined }),
    });
    const daemon = await world.start();
    const texts = ['-n "quoted" \\ and \'so\'', 'two\nlines 🥳', '" & (do shell script "id") & "'];
    for (const [index, text] of texts.entries()) {
      world.mac.chatDb.receive({ from: PERSON, text });
      await world.sent(index + 1);
    }
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(world.backend.messages.map(({ body }) => body.filtered_text)).toEqual(texts);
    expect(world.texts).toEqual(texts.map((text) => `you said: ${text}`));
  });

  test('one that is too long is sent in several', async (context) => {
    const world = await EdgeWorld.open(context);
    const daemon = await world.start();
    const words = Array.from({ length: 2_500 }, (_, index) => `word ${index}`).join(' ');
    const ack = await world.acked(world.command(words));
    expect(ack).toMatchObject({ status: 'completed', result: { outcome: 'sent', parts: [{}, {}, {}] } });
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(world.texts.join(' ')).toBe(words);
  });

  test('where splitting is off, one that is too long fails with the limit named, and nothing is started', async (context) => {
    const world = await EdgeWorld.open(context, { settings: { 'outgoing.split_long_texts': false } });
    const daemon = await world.start();
    const tooLong = world.command('x'.repeat(10_001));
    const justFits = world.command('👍'.repeat(10_000));
    const ack = await world.acked(tooLong);
    expect(ack).toMatchObject({ status: 'failed', result: { outcome: 'not_sent' } });
    expect(ack.error).toMatch(/^text_too_long: .*10001 characters.*limit is 10000 characters/);
    expect(await world.acked(justFits)).toMatchObject({ status: 'completed' });
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(world.texts).toEqual(['👍'.repeat(10_000)]);
    expect(readCalls(world.mac.osascriptDirectory)).toHaveLength(1);
  });

  test('and one above 100 000 bytes is not sent, whatever length the operator allows', async (context) => {
    const world = await EdgeWorld.open(context, {
      settings: { 'outgoing.max_text_length': 100_000, 'outgoing.split_long_texts': false },
    });
    const daemon = await world.start();
    const ack = await world.acked(world.command('é'.repeat(50_001)));
    expect(ack).toMatchObject({ status: 'failed', result: { outcome: 'not_sent' } });
    expect(ack.error).toMatch(/^text_too_long: .*100002 bytes.*limit is 100000 bytes/);
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(world.texts).toEqual([]);
  });
});
