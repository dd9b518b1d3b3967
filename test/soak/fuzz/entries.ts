import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import WebSocket from 'ws';
import { loadConfig } from '../../../src/config/loadConfig.js';
import { EdgeError } from '../../../src/errors.js';
import { isOneTimeCode } from '../../../src/incoming/forwarding.js';
import { filteredTogether, privacyFilter } from '../../../src/incoming/privacy.js';
import { PRIVATE_KINDS } from '../../../src/incoming/privacyDetectors.js';
import { type DecodedBody, plainWords } from '../../../src/messages/chatdb/attributedBody.js';
import { mentionsAnyLink } from '../../../src/messages/chatdb/links.js';
import { readMessageSummary } from '../../../src/messages/chatdb/messageSummary.js';
import { isTelling } from '../../../src/messages/chatdb/ownership.js';
import {
  bodyParts,
  filesLeft,
  normalisedText,
  readableText,
  bodyOf as rowBodyOf,
  transcriptions,
} from '../../../src/messages/chatdb/rowBody.js';
import { MonitorSecret } from '../../../src/monitor/MonitorSecret.js';
import { MonitorServer } from '../../../src/monitor/MonitorServer.js';
import { makeToken } from '../../../src/monitor/tokens.js';
import { commandVerbs } from '../../../src/operator/commandVerbs.js';
import { queueVerbs } from '../../../src/operator/queueVerbs.js';
import { Store } from '../../../src/store/Store.js';
import { openDatabase } from '../../../src/store/sqlite.js';
import { type Clock, systemClock } from '../../../src/system/clock.js';
import { RecordingLog } from '../../support/RecordingLog.js';
import { statusFixture } from '../../support/statusFixture.js';
import { AgentHost, fuzzDirectory } from './AgentHost.js';
import { bodyOf, summaryOf } from './bodies.js';
import type { Chance } from './Chance.js';
import { frameOf, syncReplyOf } from './commands.js';
import { damagedText, hostileText, hostileValue, mutated } from './hostile.js';
import { answerOf, type RowItem, rowOf } from './rows.js';
import { type FuzzEntry, type FuzzOptions, type FuzzReport, fuzz } from './runner.js';

const entry = <Item>(made: FuzzEntry<Item>): FuzzEntry<Item> => made;

const frames = entry({
  name: 'frames',
  atOnce: 16,
  perWorld: 25_000,
  make: frameOf,
  async open() {
    const host = await AgentHost.start();
    await host.backend.link();
    return {
      take: (items: readonly (string | Buffer)[]) => host.backend.say(items),
      close: () => host.close(),
    };
  },
});

const sync = entry({
  name: 'sync',
  atOnce: 1,
  perWorld: 5_000,
  make: syncReplyOf,
  async open() {
    const host = await AgentHost.start({ EDGE_WEBSOCKET_ENABLED: 'false' });
    let answer: ((said: string) => void) | undefined;
    let asked: (() => void) | undefined;
    host.backend.onSync = () =>
      new Promise((resolve) => {
        answer = resolve;
        asked?.();
      });
    /** A sync waits for its answer, so whatever the one before brought is done. */
    const nextSync = async () => {
      const arrived = new Promise<void>((resolve) => {
        asked = resolve;
      });
      await Promise.all([arrived, host.ask({ verb: 'kick' })]);
    };
    await nextSync();
    return {
      async take([said = '']: readonly string[]) {
        answer?.(said);
        await nextSync();
      },
      async close() {
        host.backend.onSync = () => '{}';
        answer?.('{}');
        await host.close();
      },
    };
  },
});

const DONE = '+13105559999';

/** Rows that lack something are judged at each look for up to ten minutes: more of them than a Mac has are another question. */
const MOST_ROWS = 100;

/** Nothing waits any more: the rows are gone, as when a user deletes his conversations. */
function forgetRows(path: string): void {
  const chatDb = openDatabase(path);
  try {
    for (const table of ['message', 'chat_message_join', 'message_attachment_join', 'attachment'])
      chatDb.exec(`DELETE FROM ${table}`);
  } finally {
    chatDb.close();
  }
}

const rows = entry({
  name: 'rows',
  atOnce: 4,
  perWorld: 2_500,
  make: (chance, salt) => ({ write: rowOf(chance, salt), answer: answerOf(chance) }),
  async open() {
    const host = await AgentHost.start({
      EDGE_PRIVACY_REDACT: PRIVATE_KINDS.join(','),
      EDGE_WEBSOCKET_ENABLED: 'false',
    });
    let number = 0;
    let written = 0;
    let answers: readonly string[] = [];
    let arrived: (() => void) | undefined;
    host.backend.onMessage = (body) => {
      if (body.includes(`done no ${number}.`)) {
        arrived?.();
        return '{"reply_text":null}';
      }
      return answers[body.length % Math.max(answers.length, 1)] ?? '{"reply_text":null}';
    };
    return {
      async take(items: readonly { write: RowItem; answer: string }[]) {
        if (written >= MOST_ROWS) {
          forgetRows(host.chatDb.path);
          written = 0;
        }
        written += items.length;
        answers = items.map(({ answer }) => answer);
        for (const { write } of items) write(host.chatDb);
        number += 1;
        // It comes behind them, so all of them were looked at once it is posted.
        const isDone = new Promise<void>((resolve) => {
          arrived = resolve;
        });
        host.chatDb.receive({ from: DONE, text: `done no ${number}.` });
        await isDone;
      },
      close: () => host.close(),
    };
  },
});

const filter = privacyFilter(PRIVATE_KINDS, 'US');

/**
 * Everything that is done with the contents of a row, up to what is posted. Throws where its parts contradict each
 * other.
 */
function readBody(attributedBody: Buffer | null, summary: Buffer | null): void {
  const body = rowBodyOf({ text: null, attributedBody, summary, isFromMe: 0 });
  if (attributedBody !== null && summary === null) checkRuns(body, attributedBody.length);
  const text = readableText(body);
  const parts = bodyParts(body);
  transcriptions(body);
  filesLeft(body);
  plainWords(text);
  normalisedText(text);
  mentionsAnyLink(text);
  isTelling(text);
  isOneTimeCode(text, '12345');
  if (filter !== undefined)
    filteredTogether(filter, [parts.flatMap((one) => ('text' in one ? [one.text] : []))]);
}

function checkRuns({ text, runs, fallback }: DecodedBody, bytes: number): void {
  let reached = 0;
  for (const run of runs) {
    if (run.start !== reached || run.length < 0) throw new Error('runs that leave gaps');
    reached += run.length;
  }
  if (!fallback && text !== null && reached !== text.length)
    throw new Error('runs that do not cover the text');
  if (text !== null && Buffer.byteLength(text) > 3 * bytes) throw new Error('more text than bytes');
}

const bodies = entry({
  name: 'bodies',
  atOnce: 32,
  perWorld: 50_000,
  make: (chance) => bodyOf(chance),
  open: async () => ({
    take(items: readonly Buffer[]) {
      for (const item of items) readBody(item, null);
    },
    close: async () => undefined,
  }),
});

const summaries = entry({
  name: 'summaries',
  atOnce: 32,
  perWorld: 50_000,
  make: (chance) => ({ summary: summaryOf(chance), body: chance.oneIn(2) ? bodyOf(chance) : null }),
  open: async () => ({
    take(items: readonly { summary: Buffer; body: Buffer | null }[]) {
      for (const { summary, body } of items) {
        readMessageSummary(summary);
        readBody(body, summary);
      }
    },
    close: async () => undefined,
  }),
});

const CONFIG = {
  edge: { user_phone: '+13105550100', own_addresses: ['ann@example.com'] },
  backend: { url: 'https://backend.example.com', sync_interval_seconds: 5 },
  imessage: { db_path: '~/Library/Messages/chat.db' },
  outgoing: { bubble_delay_ms: 800 },
  privacy: { redact: ['phone'] },
  forward: { allow: ['*'], ignore: [] },
  logging: { level: 'info' },
};

function yamlOf(chance: Chance): string {
  if (chance.oneIn(20)) return hostileText(chance);
  const value = mutated(chance, CONFIG);
  const json = JSON.stringify(value);
  const block = Object.entries(Object(value) as object)
    .map(([section, keys]) =>
      [
        `${section}:`,
        ...Object.entries(Object(keys) as object).map(([key, one]) => `  ${key}: ${JSON.stringify(one)}`),
      ].join('\n'),
    )
    .join('\n');
  const text = chance.oneIn(2) ? json : block;
  if (chance.oneIn(12))
    return `a: &a [x]\nb: &b [${'*a,'.repeat(chance.below(200))}]\nc: [${'*b,'.repeat(chance.below(200))}]\n${block}`;
  return chance.oneIn(3) ? damagedText(chance, text) : text;
}

/** No system lets a variable be longer, nor hold a zero. */
const variable = (chance: Chance) => hostileText(chance).slice(0, 100_000).replaceAll('\0', '');

const config = entry({
  name: 'config',
  atOnce: 4,
  perWorld: 10_000,
  make: (chance): { text: string; env: Record<string, string> } => ({
    text: yamlOf(chance),
    env: chance.oneIn(4) ? { EDGE_PRIVACY_REDACT: variable(chance), BACKEND_URL: variable(chance) } : {},
  }),
  async open() {
    const directory = fuzzDirectory();
    writeFileSync(join(directory, 'config.yaml'), '');
    return {
      take(items: readonly { text: string; env: Record<string, string> }[]) {
        for (const { text, env } of items) {
          try {
            loadConfig({ env, cwd: directory, homeDir: directory, platform: 'linux' }, text);
          } catch (error) {
            // Every expected error has its message; anything else is a bug.
            if (!(error instanceof EdgeError)) throw error;
          }
        }
      },
      close: async () => rmSync(directory, { recursive: true, force: true }),
    };
  },
});

const VERBS = [
  ...['status', 'runtime', 'config', 'conversation.key', 'pause', 'queue.list', 'queue.retry', 'queue.drop'],
  ...['commands.list', 'commands.show', 'schedule.list', 'schedule.cancel', 'selftest.send', 'toString', '*'],
] as const;

function requestOf(chance: Chance): string {
  if (chance.oneIn(20)) return hostileText(chance).replaceAll('\n', ' ');
  const request = {
    verb: VERBS[chance.below(VERBS.length)],
    guid: hostileText(chance, 20),
    conversation: chance.oneIn(2) ? '+13105551234' : hostileText(chance),
    id: hostileText(chance, 20),
    limit: hostileValue(chance),
  };
  const said = JSON.stringify(chance.oneIn(2) ? mutated(chance, request) : request);
  return (chance.oneIn(6) ? damagedText(chance, said) : said).replaceAll('\n', ' ');
}

const status = entry({
  name: 'status',
  atOnce: 4,
  perWorld: 5_000,
  make: requestOf,
  async open() {
    const host = await AgentHost.start({ EDGE_WEBSOCKET_ENABLED: 'false' });
    const ask = async (request: string) => {
      const socket = createConnection(host.socket);
      // A request that is too large is cut off.
      socket.on('error', () => undefined);
      let answer = '';
      socket.setEncoding('utf8').on('data', (said: string) => {
        answer += said;
      });
      socket.write(`${request}\n`);
      await once(socket, 'close');
      if (answer !== '') JSON.parse(answer);
      else if (request.length < 1_000_000) throw new Error('no answer');
    };
    return {
      async take(items: readonly string[]) {
        await Promise.all(items.map(ask));
      },
      close: () => host.close(),
    };
  },
});

function monitorFrameOf(chance: Chance): string | Buffer {
  if (chance.oneIn(30)) return Buffer.from(hostileText(chance, chance.below(5_000)));
  if (chance.oneIn(30)) return hostileText(chance, chance.below(5_000));
  const frame = chance.pick<unknown>([
    { type: 'ping' },
    { type: 'user_presence', data: chance.oneIn(2) ? 'away' : hostileValue(chance) },
    { type: 'subscribe', data: { topics: chance.oneIn(2) ? ['sends', 'logs'] : hostileValue(chance) } },
    {
      type: 'request',
      data: {
        id: '1',
        verb: VERBS[chance.below(VERBS.length)],
        args: {
          guid: hostileText(chance, 30),
          conversation: hostileText(chance, 30),
          limit: hostileValue(chance),
        },
      },
    },
  ]);
  const said = JSON.stringify(chance.oneIn(3) ? mutated(chance, frame) : frame);
  // A larger one ends the connection.
  return (chance.oneIn(6) ? damagedText(chance, said) : said).slice(0, 20_000);
}

const monitor = entry({
  name: 'monitor',
  atOnce: 8,
  perWorld: 10_000,
  make: monitorFrameOf,
  async open() {
    const directory = fuzzDirectory();
    let ahead = 0;
    // A second goes by for each frame, so that it is not the rate that refuses them.
    const clock: Clock = { ...systemClock, monotonic: () => systemClock.monotonic() + ahead };
    const log = new RecordingLog();
    const store = Store.open(join(directory, 'edge-agent.db'), { clock, log });
    const secret = MonitorSecret.in(directory);
    const names = { nameOf: () => null };
    const verbs = { ...queueVerbs(store, names), ...commandVerbs(store, names) };
    const server = new MonitorServer({
      useLink: () => true,
      port: 0,
      ...{ secret, clock, log, verbs, pageDirectory: directory },
      agentStatus: () => ({ agentName: 'edge_1', state: 'idle' }),
      status: () => statusFixture(),
      onWatched: () => undefined,
    });
    await server.start();
    const token = await makeToken(secret.key(), {
      use: 'session',
      user: 'ann',
      ttlMs: 36_000_000,
      now: clock.now(),
    });
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/ws?token=${token}`, {
      perMessageDeflate: false,
    });
    let answered = 0;
    let wanted = Number.POSITIVE_INFINITY;
    let isDone: (() => void) | undefined;
    socket.on('message', (data: Buffer) => {
      if (!data.toString().includes('"id":"the last"')) return;
      answered += 1;
      if (answered >= wanted) isDone?.();
    });
    await once(socket, 'open');
    return {
      async take(items: readonly (string | Buffer)[]) {
        ahead += 1_000 * (items.length + 1);
        const done = new Promise<void>((resolve, reject) => {
          isDone = resolve;
          socket.once('close', (code) => reject(new Error(`the connection was closed (${code})`)));
        });
        wanted = answered + 1;
        for (const item of items) socket.send(item);
        socket.send('{"type":"request","data":{"id":"the last","verb":"queue.list"}}');
        await done;
        socket.removeAllListeners('close');
      },
      async close() {
        socket.terminate();
        await server.stop();
        store.close();
        rmSync(directory, { recursive: true, force: true });
      },
    };
  },
});

/** How many items of each are run by default. */
export const FULL_COUNTS = {
  frames: 1_000_000,
  sync: 100_000,
  rows: 100_000,
  bodies: 1_000_000,
  summaries: 200_000,
  config: 100_000,
  status: 100_000,
  monitor: 200_000,
} as const;

export type EntryName = keyof typeof FULL_COUNTS;

/** Every entrance, to be run separately. */
export const ENTRIES: Readonly<Record<EntryName, (options: FuzzOptions) => Promise<FuzzReport>>> = {
  frames: (options) => fuzz(frames, options),
  sync: (options) => fuzz(sync, options),
  rows: (options) => fuzz(rows, options),
  bodies: (options) => fuzz(bodies, options),
  summaries: (options) => fuzz(summaries, options),
  config: (options) => fuzz(config, options),
  status: (options) => fuzz(status, options),
  monitor: (options) => fuzz(monitor, options),
};
