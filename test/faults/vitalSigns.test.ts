import { expect, test } from 'vitest';
import type { PassingReply } from '../kit/conformance/MutantBackend.js';
import { PERSON } from '../support/EdgeWorld.js';
import { type Break, comeAndGo, mendPosts, person, SECOND } from './VitalRig.js';

const rejectedPosts =
  (reply: PassingReply): Break['make'] =>
  (rig) => {
    rig.wrong = { reply: (path) => (path === '/edge/message' ? reply : undefined) };
    rig.world.mac.chatDb.receive({ from: person(1), text: 'hello' });
  };
/** What no other quick test shows of a whole daemon, but for what takes an hour of its time. */
const BREAKS: readonly Break[] = [
  {
    code: 'messages_not_taken',
    quietMs: 50 * SECOND,
    lastsMs: 20 * SECOND,
    make: rejectedPosts({ status: 404, body: {} }),
    mend: mendPosts,
  },
  {
    code: 'messages_unanswered',
    quietMs: 50 * SECOND,
    lastsMs: 20 * SECOND,
    make: rejectedPosts({ status: 200, body: { success: 'perhaps' } }),
    mend: mendPosts,
  },
  {
    code: 'reading_stalled',
    quietMs: 100 * SECOND,
    lastsMs: 40 * SECOND,
    async make(rig) {
      rig.inStore(
        'CREATE TRIGGER stuck BEFORE UPDATE ON chatdb_cursor BEGIN SELECT raise(IGNORE); END; CREATE TRIGGER stuck_too BEFORE INSERT ON chatdb_cursor BEGIN SELECT raise(IGNORE); END',
      );
      await rig.converse(() => rig.world.mac.chatDb.receive({ from: person(3), text: 'hello' }));
    },
    mend: (rig) => rig.inStore('DROP TRIGGER stuck; DROP TRIGGER stuck_too'),
  },
  {
    code: 'schedule_overdue',
    quietMs: 100 * SECOND,
    lastsMs: 40 * SECOND,
    make(rig) {
      const at = rig.time.clock.now();
      rig.inStore(
        `INSERT INTO schedule (schedule_id, command_id, conversation, thread_id, text, priority, send_at, created_at, state)
         VALUES ('s1', 'c1', '${PERSON}', '${PERSON}', 'forgotten', 0, ${at}, ${at}, 'pending')`,
      );
    },
    async mend(rig) {
      await rig.world.cli('schedule', 'cancel', 's1');
    },
  },
  {
    code: 'websocket_refused',
    make(rig) {
      rig.wrong = { socket: ({ agent }) => agent.close(1008, 'no') };
      rig.dropSocket();
    },
    mend: mendPosts,
  },
  {
    code: 'internal',
    make(rig) {
      rig.inStore(
        "CREATE TRIGGER stuck BEFORE UPDATE ON chatdb_cursor BEGIN SELECT raise(ABORT, 'no'); END; CREATE TRIGGER stuck_too BEFORE INSERT ON chatdb_cursor BEGIN SELECT raise(ABORT, 'no'); END",
      );
      rig.world.mac.chatDb.receive({ from: person(8), text: 'hello' });
    },
    mend: (rig) => rig.inStore('DROP TRIGGER stuck; DROP TRIGGER stuck_too'),
  },
  {
    code: 'messages_unavailable',
    async make(rig) {
      rig.world.behave(
        { kind: 'error', number: -600, when: 'before' },
        { textIncludes: 'nobody', times: 'always' },
      );
      await rig.world.acked(rig.world.command('nobody sends this'));
    },
    mend: async (rig) => void (await rig.world.acked(rig.world.command('sent again'))),
  },
  {
    code: 'messages_set_aside',
    make(rig) {
      rig.wrong = {
        reply: (path) =>
          path === '/edge/message' ? { status: 422, body: { error: 'no such tenant\u001b[31m' } } : undefined,
      };
      rig.world.mac.chatDb.receive({ from: person(7), text: 'refused' });
    },
    async mend(rig) {
      const { stdout } = await rig.world.cli('queue', 'list', '--json');
      const { parked } = JSON.parse(stdout) as { parked: { guid: string; error: string }[] };
      expect(parked[0]?.error).toContain('no such tenant');
      expect(rig.world.log().join('\n')).not.toContain('no such tenant');
      rig.wrong = {};
      await rig.world.cli('queue', 'retry', parked[0]?.guid ?? '');
    },
  },
];

test(
  'each is found by its code in the status, /ready, the page and the log when the real thing breaks, and goes when that is mended',
  {
    timeout: 600_000,
  },
  (context) => comeAndGo(context, BREAKS),
);
