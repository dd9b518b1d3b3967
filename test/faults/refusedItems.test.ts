import { describe, expect, test } from 'vitest';
import { MutantBackend, type PassingReply } from '../kit/conformance/MutantBackend.js';
import { type Cleanup, EdgeWorld } from '../support/EdgeWorld.js';
import { until } from '../support/until.js';

interface Sync {
  readonly pending_events: { readonly event_id: string; readonly event_type: string }[];
  readonly command_acks: { readonly command_id: string }[];
}

/** A daemon that has no way but HTTP, before a backend of which `wrong` answers some requests. */
async function worldWith(
  context: Cleanup,
  wrong: (path: string, body: string) => PassingReply | undefined,
): Promise<{ world: EdgeWorld; daemon: Awaited<ReturnType<EdgeWorld['start']>> }> {
  const world = await EdgeWorld.open(context);
  const mutant = await MutantBackend.start(world.backend.url, {
    request: ({ path, body }) => wrong(path, body),
  });
  context.onTestFinished(() => mutant.stop());
  world.writeConfig({ 'backend.url': mutant.url, 'websocket.enabled': false });
  const daemon = await world.start('Command delivery: HTTP polling every 1s');
  return { world, daemon };
}

/** The same, and its first sync has come. */
async function heardWorld(...given: Parameters<typeof worldWith>): ReturnType<typeof worldWith> {
  const made = await worldWith(...given);
  await made.world.backend.until(() => made.world.backend.syncs.length > 0);
  return made;
}

const codes = (snapshot: { problems: readonly { code: string }[] } | null) =>
  (snapshot?.problems ?? []).map(({ code }) => code);

describe('what the backend does not accept', { concurrent: true }, () => {
  test.for([413, 500])(
    'an event on which each sync fails with %d is shown in the status; commands and other events come; it is sent once the backend accepts it',
    async (status, context) => {
      let refused: string | undefined;
      let isFixed = false;
      const { world, daemon } = await heardWorld(context, (path, body) => {
        if (path !== '/edge/sync') return undefined;
        const { pending_events: events } = JSON.parse(body) as Sync;
        refused ??= events[0]?.event_id;
        const isWrong = !isFixed && events.some(({ event_id: id }) => id === refused);
        return isWrong ? { status, body: {} } : undefined;
      });
      world.command('one');
      await world.sent(1);
      await until(
        () => refused !== undefined,
        () => 'an event in a sync',
      );
      world.command('two');
      world.command('three');
      await world.sent(3);
      await world.backend.until(() => world.backend.events.length >= 2);
      if (status === 413) {
        const { snapshot, exitCode } = await daemon.statusUntil((answer) =>
          codes(answer.snapshot).includes('delivery_refused'),
        );
        expect(exitCode).toBe(4);
        expect(snapshot?.problems.find(({ code }) => code === 'delivery_refused')).toMatchObject({
          message: `The backend does not accept 1 event (event ${refused}: HTTP 413). Everything else continues.`,
          remedy: expect.stringContaining('edge-agent kick'),
        });
      }
      isFixed = true;
      await world.cli('kick');
      await daemon.statusUntil(({ snapshot }) => snapshot?.events_undelivered === 0);
      expect(codes((await daemon.status()).snapshot)).toEqual([]);
    },
  );

  test('an ack that is refused is shown in the status, and sent once the backend accepts it', async (context) => {
    let isFixed = false;
    const { world, daemon } = await heardWorld(context, (path, body) => {
      if (isFixed) return undefined;
      if (path === '/edge/command/ack') return { status: 422, body: {} };
      const isWrong = path === '/edge/sync' && (JSON.parse(body) as Sync).command_acks.length > 0;
      return isWrong ? { status: 413, body: {} } : undefined;
    });
    const id = world.command('one');
    const { snapshot } = await daemon.statusUntil((answer) =>
      codes(answer.snapshot).includes('delivery_refused'),
    );
    expect(snapshot?.problems.find(({ code }) => code === 'delivery_refused')?.message).toContain(
      `1 ack (ack of ${id}: HTTP 4`,
    );
    isFixed = true;
    await world.cli('kick');
    await daemon.statusUntil((answer) => answer.snapshot?.acks_undelivered === 0);
    expect(codes((await daemon.status()).snapshot)).toEqual([]);
    expect(world.acksOf(id)).not.toEqual([]);
  });

  test('every sync, whatever is in it, is shown in the status, and succeeds once it accepts one', async (context) => {
    let isFixed = false;
    const { daemon } = await worldWith(context, (path) =>
      path === '/edge/sync' && !isFixed ? { status: 404, body: {} } : undefined,
    );
    const { snapshot, exitCode } = await daemon.statusUntil((answer) =>
      codes(answer.snapshot).includes('sync_failing'),
    );
    expect(exitCode).toBe(4);
    expect(snapshot?.problems.find(({ code }) => code === 'sync_failing')).toMatchObject({
      message: 'The backend answers, but accepts no sync: HTTP 404. No commands arrive.',
      remedy: expect.stringContaining('/edge/sync'),
    });
    isFixed = true;
    await daemon.statusUntil((answer) => answer.snapshot?.state === 'healthy');
  });
});
