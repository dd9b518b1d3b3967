import { describe, expect, test } from 'vitest';
import { EdgeWorld, PERSON } from '../support/EdgeWorld.js';
import { until } from '../support/until.js';

/** Sets a window's title, clears the screen, forges a line and turns the direction of writing. */
const HOSTILE = 'x\u001b]0;owned\u0007\u001b[2J\u009b1m\nstate healthy\r\u202egnp.exe';
/** What a terminal would obey; a tab and the end of a line are ours. */
const OBEYED = /[^\P{Cc}\n\t]|[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u;

describe('text from strangers and backends', () => {
  test('reaches neither a terminal nor the log as a control sequence', async (context) => {
    const world = await EdgeWorld.open(context);
    world.place.env.EDGE_LOG_LEVEL = 'debug';
    await world.start();
    const payload = { thread_id: `${PERSON}${HOSTILE}`, text: HOSTILE };
    const ids = [
      world.backend.pushCommand({ command_type: 'send_message_now', payload }).commandId,
      world.backend.pushCommand({ command_type: HOSTILE, payload }).commandId,
      world.backend.pushCommand({
        command_type: 'schedule_message',
        payload: { ...payload, send_at: HOSTILE },
      }).commandId,
    ];
    await until(
      () => ids.every((id) => world.acksOf(id).length > 0),
      () => 'every command to be acked',
    );
    const shown = [
      ...['status', 'commands', 'queue', 'schedule', 'logs', 'doctor', 'config'].flatMap((verb) => [
        [verb],
        [verb, '--json'],
      ]),
      ...ids.map((id) => ['commands', 'show', id]),
      ['commands', 'show', HOSTILE],
      [HOSTILE],
    ];
    for (const args of shown) {
      const { stdout, stderr } = await world.cli(...args);
      expect(stdout + stderr, args.join(' ')).not.toMatch(OBEYED);
      expect(stdout).not.toMatch(/^state healthy/m);
    }
    expect(world.log().join('\n')).not.toMatch(OBEYED);
  });
});
