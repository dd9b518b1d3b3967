import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ackBody } from '../../src/backend/frames.js';
import { FakeBackend } from '../support/FakeBackend.js';
import { makeBackend, type Running } from '../support/startBackend.js';

/** A small seeded generator (mulberry32), so that a failing run can be repeated. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

describe('a backend at its worst', () => {
  let fake: FakeBackend;
  let running: Running | undefined;

  beforeEach(async () => {
    fake = await FakeBackend.start();
  });
  afterEach(async () => {
    await running?.stop();
    await fake.stop();
  });

  it.each([1, 2, 3])('loses no command and no ack (seed %i)', async (seed) => {
    const chance = seeded(seed);
    const waiting = new Map<string, object>();
    const acked = new Set<string>();
    const read = (body: Record<string, unknown>) => {
      const id = String(body.command_id);
      acked.add(id);
      waiting.delete(id);
    };
    let looked = 0;
    // Acks that reached the backend count as read, whether or not the agent heard of it.
    const listen = () => {
      for (; looked < fake.frames.length; looked++) {
        const frame = fake.frames[looked];
        if (frame?.type === 'command_ack') read(frame.data as Record<string, unknown>);
      }
    };
    fake.on('/edge/command/ack', (call) => {
      read(call.body);
      return chance() < 0.2 ? { status: 500 } : { body: {} };
    });
    fake.on('/edge/sync', (call) => {
      for (const ack of call.body.command_acks as Record<string, unknown>[]) read(ack);
      if (chance() < 0.2) return { status: 502, body: 'bad gateway' };
      listen();
      return { body: { commands: [...waiting.values()], ack_commands: [...acked] } };
    });
    running = makeBackend(fake, { timings: { link: { backoffMs: [5, 10, 20, 30], blockedFastMs: 100 } } });
    const made = running;
    const done = new Set<string>();
    const executeOnce = () => {
      for (const { command } of made.received.splice(0)) {
        const first = !done.has(command.commandId);
        done.add(command.commandId);
        const body = ackBody({ commandId: command.commandId, error: null, at: 0, revision: 1 });
        if (first || chance() < 0.5) made.store.write(() => made.store.acks.add(body));
      }
    };
    made.backend.start();
    const verbs: (() => void)[] = [
      () => fake.sockets.size > 0 && fake.drop(),
      () => fake.sockets.size > 0 && fake.closeWith(1012),
      () => fake.sockets.size > 0 && fake.closeWith(4001),
      () => fake.sockets.size > 0 && fake.freeze(),
      () => fake.refuse(503),
      () => fake.refuse(401),
      () => fake.refuse(null),
      () => fake.refuse(null),
      () => fake.answerPings(false),
      () => fake.answerPings(true),
      () => made.backend.wake(),
      () => made.backend.kick('chaos'),
      () => fake.sockets.size > 0 && fake.pushRaw('garbage'),
    ];
    const total = 150;
    for (let i = 0; i < total; i++) {
      const command = { command_id: `cmd_${i}`, command_type: 'list_scheduled', payload: {} };
      waiting.set(command.command_id, command);
      // Pushed where a socket seems open; what gets lost with it is the catch-up sync's to bring.
      if (fake.sockets.size > 0 && fake.socket.readyState === 1) fake.push(command);
      if (chance() < 0.4) verbs[Math.floor(chance() * verbs.length)]?.();
      await new Promise((resolve) => setTimeout(resolve, chance() * 15));
      executeOnce();
      listen();
    }
    fake.refuse(null);
    fake.answerPings(true);
    made.backend.kick('the storm is over');
    const calm = () => {
      executeOnce();
      listen();
      return done.size === total && acked.size === total && made.store.acks.count() === 0;
    };
    await fake.until(calm, 'every command executed and every ack read and cleared', 15_000);
    await fake.until(() => made.backend.view().state === 'online', 'the link to be online');
    // A frozen peer does not notice that we left; once it reads again, only the socket of now may remain.
    fake.thaw();
    await fake.until(() => fake.sockets.size === 1, 'one socket');
    expect(fake.sockets.has(fake.socket)).toBe(true);
    expect(done.size).toBe(total);
  });
});
