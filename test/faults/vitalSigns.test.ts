import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { mintToken } from '../../src/gateway/agents/authentication.js';
import type { PassingReply } from '../kit/conformance/MutantBackend.js';
import { AGENT_ID, type Cleanup, OWN, PERSON, SECRET } from '../support/EdgeWorld.js';
import { type Break, comeAndGo, MINUTE, mendPosts, person, SECOND } from './VitalRig.js';

const rejectedPosts =
  (reply: PassingReply): Break['make'] =>
  (rig) => {
    rig.wrong = { reply: (path) => (path === '/edge/message' ? reply : undefined) };
    rig.world.mac.chatDb.receive({ from: person(1), text: 'hello' });
  };

/** A webhook for alerts, which takes them or not. */
const webhook = { url: '', status: 503 };
async function openWebhook({ onTestFinished }: Cleanup): Promise<void> {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(webhook.status).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  webhook.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** Larger than the store and the log, and less than an attachment may have. */
const LARGE = 6 * 1_024 * 1_024;

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
  {
    code: 'messages_expired',
    make(rig) {
      rig.configure({ 'imessage.max_message_age_seconds': 30, 'imessage.catch_up_hours': 0.01 });
      rig.wrong = { reply: (path) => (path === '/edge/message' ? { status: 404, body: {} } : undefined) };
      rig.world.mac.chatDb.receive({ from: person(9), text: 'nobody answers' });
    },
    // A day later.
    mend(rig) {
      rig.configure({});
      rig.inStore(`UPDATE incoming SET settled_at = settled_at - 86400000 WHERE state = 'expired'`);
    },
  },
  {
    // A minute before the end of its 24 hours the pinned token is still good.
    code: 'token_expired',
    quietMs: 30 * SECOND,
    lastsMs: 40 * SECOND,
    async make(rig) {
      const madeAt = rig.time.clock.now() - 24 * 60 * MINUTE + MINUTE;
      const token = mintToken(SECRET, AGENT_ID, OWN, Math.floor(madeAt / SECOND));
      writeFileSync(rig.world.envPath, `EDGE_TOKEN='${token}'\n`, { mode: 0o600 });
      await rig.daemon.line('The secrets changed: using the new ones');
    },
    mend: (rig) => rig.world.writeSecret(SECRET),
  },
  {
    code: 'config_unreadable',
    make: (rig) => writeFileSync(rig.world.configPath, Buffer.from([0x80, 0xff, 0xfe])),
    mend: (rig) => rig.configure({}),
  },
  {
    code: 'alerts_failing',
    async make(rig) {
      rig.configure({ 'alerts.webhook_url': webhook.url, 'alerts.after_seconds': 1 });
      await rig.daemon.line('keys=alerts.webhook_url');
      await rig.world.cli('pause');
    },
    async mend(rig) {
      expect((await rig.status()).problems.map(({ code }) => code)).toContain('sending_paused');
      webhook.status = 204;
      await rig.world.cli('resume');
    },
  },
  {
    code: 'machine_exhausted',
    make(rig) {
      const path = join(rig.world.shared, 'large.bin');
      writeFileSync(path, Buffer.alloc(LARGE, 1));
      limitFiles(rig.daemon.pid, String(LARGE / 2));
      rig.areTextsHeld = true;
      rig.world.command('', { attachments: [{ path }] });
    },
    async mend(rig) {
      const before = rig.world.texts.length;
      limitFiles(rig.daemon.pid, 'unlimited');
      await rig.passes(
        () => rig.world.texts.length > before,
        () => 'the file',
      );
      rig.areTextsHeld = false;
    },
  },
  {
    code: 'chatdb_denied',
    make: (rig) => chmodSync(dirname(rig.world.mac.chatDbPath), 0o000),
    mend: (rig) => chmodSync(dirname(rig.world.mac.chatDbPath), 0o700),
  },
];

/** The largest file that the process may write from now on, in bytes. */
function limitFiles(pid: number, soft: string): void {
  execFileSync('prlimit', ['--pid', String(pid), `--fsize=${soft}:`]);
}

test('each is found by its code in the status, /ready, the page and the log when the real fault occurs, and clears when that is fixed', {
  timeout: 600_000,
}, async (context) => {
  await openWebhook(context);
  await comeAndGo(context, BREAKS);
});
