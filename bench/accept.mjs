import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseFrame } from '../dist/backend/protocol.js';
import { FrameReader } from '../dist/backend/WebSocketClient.js';
import { Acks, Commands } from '../dist/commands/Commands.js';
import { sendMessage } from '../dist/commands/handlers/sendMessage.js';
import { createLogger } from '../dist/logging/createLogger.js';
import { conversationKey } from '../dist/messages/conversationId.js';
import { Outgoing } from '../dist/outgoing/Outgoing.js';
import { Store } from '../dist/store/Store.js';
import { openDurableDatabase } from '../dist/store/sqlite.js';
import { systemClock } from '../dist/system/clock.js';
import { bounded } from './figures.mjs';

const COMMANDS = 20_000;
const ROUNDS = 5;
/** About what one read from the socket (64 KiB) holds. */
const BATCH = 250;
const NOTHING_SENT = { targets: () => [], start: () => Promise.reject(new Error('the lanes are paused')) };
const NO_ROWS = { position: () => undefined, after: () => [], normalise: (text) => text };

/** Texts to send, from the frame to the disk: parsed, stored, put into their lanes; against bare inserts of the frames. */
export async function run() {
  const directory = mkdtempSync(join(tmpdir(), 'edge-agent-bench-'));
  const rates = { agent: [], bare: [] };
  for (let round = 0; round < ROUNDS; round++) {
    const frames = Array.from({ length: COMMANDS }, (_, number) => commandFrame(round, number));
    rates.bare.push(bareInserts(join(directory, `bare-${round}.db`), frames));
    rates.agent.push(await accepted(join(directory, `state-${round}`), frames));
  }
  rmSync(directory, { recursive: true, force: true });
  return [
    bounded({
      what: `send_message_now, ${BATCH} a commit`,
      measured: Math.max(...rates.agent),
      reference: { name: 'bare inserts', value: Math.max(...rates.bare) },
      unit: '/s',
      least: 20_000,
    }),
  ];
}

async function accepted(directory, frames) {
  const file = `${directory}.log`;
  const log = createLogger({ file, level: 'info', format: 'text', redact: [] });
  const clock = systemClock;
  const store = Store.open(`${directory}.db`, { clock, log: log.logger });
  const settings = () => ({ maxTextLength: 10_000, resendUnknown: false });
  const outgoing = new Outgoing({
    store,
    sender: NOTHING_SENT,
    rows: NO_ROWS,
    clock,
    log: log.logger,
    settings,
  });
  const handler = sendMessage({
    texts: outgoing,
    conversationKey: (threadId) => conversationKey(threadId, 'US'),
    clock,
    limits: () => ({
      maxAgeMs: 3_600_000,
      reflexMaxAgeMs: 600_000,
      bubbleDelayMs: 800,
      maxTextLength: 10_000,
    }),
  });
  const commands = new Commands(store, new Acks(store, clock), log.logger, [handler]);
  const reader = new FrameReader({
    clock,
    log: log.logger,
    receive: (batch) => commands.receive(batch, 'websocket'),
    onConfigUpdate: () => undefined,
    onAccepts: () => undefined,
  });
  const began = clock.monotonic();
  for (let from = 0; from < frames.length; from += BATCH) {
    for (const frame of frames.slice(from, from + BATCH)) reader.take(parseFrame(frame));
    // The batch is stored in the microtask that the reader asked for.
    await Promise.resolve();
  }
  const took = clock.monotonic() - began;
  const stored = store.sends.countOpen();
  store.close();
  log.close();
  if (stored !== frames.length) {
    const lines = readFileSync(file, 'utf8').split('\n').slice(0, 5).join('\n');
    throw new Error(`${stored} of ${frames.length} commands are stored; the log begins:\n${lines}`);
  }
  return (frames.length / took) * 1000;
}

function bareInserts(path, frames) {
  const database = openDurableDatabase(path);
  database.exec('CREATE TABLE commands (id INTEGER PRIMARY KEY, body TEXT NOT NULL)');
  const insert = database.prepare('INSERT INTO commands (body) VALUES (?)');
  const insertAll = database.transaction((batch) => {
    for (const frame of batch) insert.run(frame);
  });
  const began = systemClock.monotonic();
  for (let from = 0; from < frames.length; from += BATCH) insertAll(frames.slice(from, from + BATCH));
  const took = systemClock.monotonic() - began;
  database.close();
  return (frames.length / took) * 1000;
}

function commandFrame(round, number) {
  const timestamp = new Date().toISOString();
  const payload = { thread_id: `+1310555${1000 + (number % 200)}`, text: `Number ${number} of many` };
  const data = { command_id: `cmd_${round}_${number}`, command_type: 'send_message_now', payload, timestamp };
  return JSON.stringify({ type: 'command', data, timestamp });
}
