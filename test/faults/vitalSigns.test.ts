import { expect, test } from 'vitest';
import { ERROR_CODES, type ErrorCode } from '../../src/model/errorCodes.js';
import { type StatusSnapshot, statusSchema } from '../../src/model/status.js';
import { MonitorSecret } from '../../src/monitor/MonitorSecret.js';
import { makeToken } from '../../src/monitor/tokens.js';
import { codesOfSign, hindersTheJob } from '../../src/operator/vitalSigns.js';
import { openDatabase } from '../../src/store/sqlite.js';
import { MutantBackend, type Pair, type PassingReply } from '../kit/conformance/MutantBackend.js';
import type { DaemonProcess } from '../support/DaemonProcess.js';
import { DrivenClock } from '../support/DrivenClock.js';
import { type Cleanup, EdgeWorld, PERSON } from '../support/EdgeWorld.js';
import { statusOf } from '../support/statusOf.js';
import { until } from '../support/until.js';
import { WatchingClient } from '../support/WatchingClient.js';

const person = (number: number) => `+1310555${2000 + number}`;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** What the backend does wrong now; what is left out it does right. */
interface Wrong {
  reply?: (path: string, body: string) => PassingReply | undefined;
  /** Done to each socket that the daemon opens. */
  socket?: (pair: Pair) => void;
  /** A sync reply is changed in place. */
  sync?: (body: Record<string, unknown>) => void;
}

/** One daemon with everything by which it is watched, and what a test may break of it. */
class Rig {
  wrong: Wrong = {};
  readonly pairs: Pair[] = [];

  private constructor(
    readonly world: EdgeWorld,
    readonly time: DrivenClock,
    readonly daemon: DaemonProcess,
    private readonly health: string,
    wires: { wrong: () => Wrong; pairs: Pair[] },
  ) {
    this.pairs = wires.pairs;
    wires.wrong = () => this.wrong;
  }

  static async start(context: Cleanup): Promise<Rig> {
    let underWay = 0;
    const wires: { wrong: () => Wrong; pairs: Pair[] } = { wrong: () => ({}), pairs: [] };
    const time = new DrivenClock(() => underWay > 0);
    const world = await EdgeWorld.open(context, { backendClock: time.clock });
    context.onTestFinished(() => time.close());
    time.drive(world);
    const mutant = await MutantBackend.start(world.backend.url, {
      request({ path, body }) {
        underWay += 1;
        return wires.wrong().reply?.(path, body);
      },
      reply({ path }, { body }) {
        underWay -= 1;
        if (path === '/edge/sync') wires.wrong().sync?.(body);
      },
      joined(pair) {
        wires.pairs.push(pair);
        wires.wrong().socket?.(pair);
      },
    });
    context.onTestFinished(() => mutant.stop());
    world.writeConfig({
      'backend.url': mutant.url,
      'backend.sync_interval_seconds': 5,
      'health.enabled': true,
      'health.port': 0,
      'monitor.enabled': true,
      'monitor.port': 0,
      'attachments.upload': true,
    });
    const daemon = await world.start();
    const health = /url=(\S+)/.exec(await daemon.line('Health is served'))?.[1] ?? '';
    return new Rig(world, time, daemon, health, wires);
  }

  async status(): Promise<StatusSnapshot> {
    const snapshot = await statusOf(this.world.state);
    if (snapshot === undefined) throw new Error('the daemon does not answer');
    return snapshot;
  }

  async codes(): Promise<ErrorCode[]> {
    return (await this.status()).problems.map(({ code }) => code);
  }

  async ready(): Promise<unknown> {
    return (await fetch(`${this.health}/ready`)).json();
  }

  /** What the page of the monitor gets when somebody opens it. */
  async onPage(): Promise<string[]> {
    const { port } = (await this.status()).monitor;
    const key = MonitorSecret.in(this.world.state).key();
    const now = this.time.clock.now();
    const token = await makeToken(key, { use: 'session', user: 'ann', ttlMs: 60 * MINUTE, now });
    const client = await WatchingClient.open(`ws://127.0.0.1:${port ?? 0}/ws?token=${token}`);
    try {
      await client.heard('auth');
      client.say({ type: 'subscribe', data: { topics: ['problems'] } });
      const { data } = await client.heard('snapshot');
      return statusSchema.parse(data?.status).problems.map(({ code }) => code);
    } finally {
      client.close();
    }
  }

  /** Lets time pass until it is so. */
  async passes(condition: () => boolean | Promise<boolean>, what: () => string): Promise<void> {
    await until(async () => {
      if (await condition()) return true;
      await this.textsOut();
      await this.time.advance(4 * SECOND);
      return condition();
    }, what);
  }

  /** No text is on its way: osascript takes real time, which must not run ahead meanwhile. */
  async textsOut(): Promise<void> {
    await until(
      async () => (await this.status()).sends_queued === 0,
      () => 'the end of all texts',
    );
  }

  /** Somebody writes, and is answered. */
  async converse(write: () => void): Promise<void> {
    const before = this.world.texts.length;
    write();
    await this.world.sent(before + 1);
    await this.textsOut();
  }

  /** Lets time pass until the code is there, or gone: in the status, and in the log. */
  async comes(code: ErrorCode, isThere = true): Promise<void> {
    let codes: ErrorCode[] = [];
    const from = this.world.log().length;
    await this.passes(
      async () => {
        codes = await this.codes();
        return codes.includes(code) === isThere;
      },
      () => `${code} to ${isThere ? 'come' : 'go'}; there are ${JSON.stringify(codes)}`,
    );
    const words = isThere ? `Something is wrong: ${ERROR_CODES[code]}` : 'This is over';
    const isTold = (line: string) => line.includes(words) && line.includes(`code=${code}`);
    await this.passes(
      () =>
        this.world
          .log()
          .slice(Math.max(0, from - 50))
          .some(isTold),
      () => `the line ${words} code=${code}`,
    );
  }

  /** Nothing is waiting any more, and nothing is wrong. */
  async settles(): Promise<void> {
    let seen: StatusSnapshot | undefined;
    await this.passes(
      async () => {
        seen = await this.status();
        return seen.state === 'healthy' && seen.incoming_queued === 0 && seen.link === 'realtime';
      },
      () => `all to be well; there is ${JSON.stringify(seen?.problems)}`,
    );
  }

  /** The socket is lost, as each new one is, unless `wrong` says otherwise. */
  dropSocket(): void {
    this.pairs.at(-1)?.agent.terminate();
  }

  inStore(sql: string): void {
    const store = openDatabase(`${this.world.state}/edge-agent.db`);
    store.exec(sql);
    store.close();
  }
}

interface Break {
  readonly code: ErrorCode;
  /** So long it may last without being told, and so long after it is. */
  readonly quietMs?: number;
  readonly lastsMs?: number;
  make(rig: Rig): void | Promise<void>;
  mend(rig: Rig): void | Promise<void>;
}

const rejectedPosts =
  (reply: PassingReply): Break['make'] =>
  (rig) => {
    rig.wrong = { reply: (path) => (path === '/edge/message' ? reply : undefined) };
    rig.world.mac.chatDb.receive({ from: person(1), text: 'hello' });
  };
const mendPosts: Break['mend'] = async (rig) => {
  rig.wrong = {};
  await rig.world.cli('kick');
};

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
      // What nobody tries again does not fail for days.
      await rig.time.advance(61 * MINUTE);
      const { state, vital_signs: signs } = await rig.status();
      expect([state, signs.can_send.state]).toEqual(['healthy', 'not_yet_known']);
      await rig.world.acked(rig.world.command('found'));
    },
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
    code: 'link_unstable',
    make: dropThrice,
    mend: (rig) => rig.time.advance(95 * SECOND),
  },
  {
    // Although the link dropped again and again before it went down for good.
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
      // One that is refused says nothing of the others; where each is refused, none is read.
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
    code: 'sending_paused',
    make: async (rig) => void (await rig.world.cli('pause')),
    mend: async (rig) => void (await rig.world.cli('resume')),
  },
];

test('each is found by its code in the status, /ready, the page and the log when the real thing breaks, and goes when that is mended', {
  timeout: 600_000,
}, async (context) => {
  const rig = await Rig.start(context);
  expect((await rig.status()).vital_signs.is_answered.state).toBe('not_yet_known');
  for (const { code, quietMs, lastsMs, make, mend } of BREAKS) {
    expect(await rig.codes(), `before ${code}`).toEqual([]);
    await make(rig);
    await rig.textsOut();
    if (quietMs !== undefined) {
      await rig.time.advance(quietMs);
      expect(await rig.codes(), `soon after ${code}`).not.toContain(code);
    }
    await rig.time.advance(lastsMs ?? 0);
    await rig.comes(code);
    const { exitCode, snapshot } = await rig.daemon.status();
    expect(exitCode).toBe(4);
    if (code === 'messages_not_taken') expect(snapshot?.last_error).toContain(ERROR_CODES[code]);
    expect(snapshot?.problems.find((one) => one.code === code)?.remedy).toMatch(/\S/);
    for (const [name, { state, codes }] of Object.entries(snapshot?.vital_signs ?? {})) {
      const isOf = codesOfSign(name as keyof StatusSnapshot['vital_signs']).includes(code);
      expect([name, codes.includes(code)]).toEqual([name, isOf]);
      if (isOf) expect(state).toBe('failing');
    }
    const told = expect.arrayContaining([expect.objectContaining({ code })]);
    expect(await rig.ready()).toMatchObject(
      hindersTheJob({ code }) ? { ready: false, problems: told } : { notices: told },
    );
    expect(await rig.onPage()).toContain(code);
    await mend(rig);
    await rig.comes(code, false);
    rig.wrong = {};
    await rig.settles();
    expect(await rig.onPage()).not.toContain(code);
  }
});
