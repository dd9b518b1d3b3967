import { expect, test } from 'vitest';
import {
  type Break,
  comeAndGo,
  MINUTE,
  mendPosts,
  person,
  type Rig,
  SECOND,
  type Wrong,
} from './VitalRig.js';

/** No socket opens, so that commands and acks go by syncs. */
const noSocket: Wrong = { socket: ({ agent }) => agent.terminate() };

async function dropThrice(rig: Rig): Promise<void> {
  for (let drop = 0; drop < 3; drop += 1) {
    const before = rig.pairs.length;
    rig.dropSocket();
    await rig.passes(
      async () => rig.pairs.length > before && (await rig.status()).link === 'realtime',
      () => 'a fresh link',
    );
  }
}

/** Commands whose acks the backend does not take. */
const refusedCommands = new Set<string>();

const BREAKS: readonly Break[] = [
  {
    code: 'acks_unread',
    quietMs: 9 * MINUTE,
    lastsMs: 2 * MINUTE,
    async make(rig) {
      rig.wrong = {
        ...noSocket,
        reply: (path) => (path.includes('ack') ? { status: 404, body: {} } : undefined),
        sync: (body) => {
          delete body.ack_commands;
        },
      };
      rig.dropSocket();
      await rig.passes(
        async () => (await rig.status()).link === 'polling',
        () => 'polling',
      );
      rig.world.command('who reads this?');
      await rig.passes(
        async () => (await rig.status()).acks_undelivered > 0,
        () => 'an ack',
      );
    },
    mend: mendPosts,
  },
  {
    code: 'uploads_stuck',
    quietMs: 58 * MINUTE,
    lastsMs: 4 * MINUTE,
    async make(rig) {
      rig.wrong = { reply: (path) => (path === '/photo/upload' ? { status: 429, body: {} } : undefined) };
      await rig.converse(() => rig.world.receiveImage({ from: person(2), text: 'look' }, 'image-1'));
      await rig.passes(
        async () => (await rig.status()).uploads_queued > 0,
        () => 'an upload',
      );
    },
    async mend(rig) {
      rig.wrong = {};
      await rig.passes(
        async () => (await rig.status()).uploads_queued === 0,
        () => 'the upload',
      );
    },
  },
  {
    code: 'sends_failing',
    async make(rig) {
      rig.world.behave(
        { kind: 'error', number: -1728, when: 'before' },
        { textIncludes: 'lost', times: 'always' },
      );
      for (const number of [4, 5, 6])
        await rig.world.acked(rig.world.command(`lost ${number}`, { thread_id: person(number) }));
    },
    async mend(rig) {
      // A fault that is not retried does not fail for days.
      await rig.time.advance(61 * MINUTE);
      const { state, vital_signs: signs } = await rig.status();
      expect([state, signs.can_send.state]).toEqual(['healthy', 'not_yet_known']);
      await rig.world.acked(rig.world.command('found'));
    },
  },
  {
    code: 'link_unstable',
    make: dropThrice,
    mend: (rig) => rig.time.advance(95 * SECOND),
  },
  {
    // Although the link dropped repeatedly before it went down permanently.
    code: 'websocket_unavailable',
    quietMs: 50 * SECOND,
    lastsMs: 20 * SECOND,
    async make(rig) {
      await dropThrice(rig);
      rig.wrong = noSocket;
      rig.dropSocket();
    },
    async mend(rig) {
      expect(await rig.codes()).toContain('link_unstable');
      await mendPosts(rig);
      await rig.time.advance(95 * SECOND);
    },
  },
  {
    code: 'sync_failing',
    make(rig) {
      rig.wrong = {
        ...noSocket,
        reply: (path) => (path === '/edge/sync' ? { status: 404, body: {} } : undefined),
      };
      rig.dropSocket();
    },
    mend: mendPosts,
  },
  {
    code: 'agent_duplicated',
    make(rig) {
      rig.wrong = { socket: ({ agent }) => setTimeout(() => agent.close(4409, 'replaced'), 50) };
      rig.dropSocket();
    },
    async mend(rig) {
      await mendPosts(rig);
      await rig.time.advance(2 * MINUTE);
    },
  },
  {
    code: 'delivery_refused',
    async make(rig) {
      const isRefused = (path: string, body: string) =>
        (path.includes('ack') || path === '/edge/sync') &&
        [...refusedCommands].some((id) => body.includes(`"command_id":"${id}"`));
      rig.wrong = {
        ...noSocket,
        reply: (path, body) => (isRefused(path, body) ? { status: 422, body: {} } : undefined),
      };
      rig.dropSocket();
      await rig.passes(
        async () => (await rig.status()).link === 'polling',
        () => 'polling',
      );
      refusedCommands.add(rig.world.command('refused ack'));
    },
    async mend(rig) {
      // One refused item proves nothing about the others; where each is refused, none is read.
      await rig.time.advance(12 * MINUTE);
      expect(await rig.codes()).not.toContain('acks_unread');
      refusedCommands.add(rig.world.command('another refused ack'));
      await rig.passes(
        async () => (await rig.status()).acks_undelivered > 1,
        () => 'another ack',
      );
      await rig.time.advance(12 * MINUTE);
      await rig.comes('acks_unread');
      await mendPosts(rig);
    },
  },
  {
    code: 'backend_unreachable',
    make(rig) {
      rig.wrong = { ...noSocket, reply: () => ({ status: 503, body: {} }) };
      rig.dropSocket();
    },
    mend: mendPosts,
  },
  {
    code: 'backend_unauthorised',
    make(rig) {
      rig.wrong = {
        socket: ({ agent }) => agent.close(1008, 'no'),
        reply: (path) => (path === '/edge/register' ? undefined : { status: 401, body: {} }),
      };
      rig.dropSocket();
    },
    mend: mendPosts,
  },
  {
    code: 'automation_denied',
    async make(rig) {
      rig.world.behave(
        { kind: 'error', number: -1743, when: 'before' },
        { textIncludes: 'denied', times: 'always' },
      );
      await rig.world.acked(rig.world.command('denied'));
    },
    mend: async (rig) => void (await rig.world.acked(rig.world.command('allowed'))),
  },
  {
    code: 'sending_paused',
    make: async (rig) => void (await rig.world.cli('pause')),
    mend: async (rig) => void (await rig.world.cli('resume')),
  },
  {
    code: 'registration_refused',
    make(rig) {
      rig.wrong = {
        socket: ({ agent }) => agent.close(1008, 'no'),
        reply: (path) => (path === '/edge/register' ? { status: 403, body: {} } : undefined),
      };
      rig.dropSocket();
    },
    mend: mendPosts,
  },
];

test(
  'each of the others is found by its code when the real fault occurs, and clears when that is fixed',
  {
    timeout: 900_000,
  },
  (context) => comeAndGo(context, BREAKS),
);
