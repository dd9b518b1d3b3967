import {
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { Acks, Commands } from '../../src/commands/Commands.js';
import { scheduleMessage } from '../../src/commands/handlers/scheduleMessage.js';
import { requestVerdict, sendMessage } from '../../src/commands/handlers/sendMessage.js';
import { textsOf } from '../../src/incoming/reply.js';
import type { AckBody } from '../../src/model/agentBodies.js';
import type { ReceivedCommand } from '../../src/model/command.js';
import type { IncomingMessage } from '../../src/model/incoming.js';
import type { Outgoing } from '../../src/outgoing/Outgoing.js';
import { Scheduler } from '../../src/outgoing/Scheduler.js';
import { SALVAGED_GENERATION } from '../../src/store/cursor.js';
import type { Store } from '../../src/store/Store.js';
import { PAGE_BYTES as PAGE } from '../../src/store/salvage/pageBytesOf.js';
import { openDatabase } from '../../src/store/sqlite.js';
import { FakeClock } from '../support/FakeClock.js';
import { FakeMessages } from '../support/FakeMessages.js';
import { outgoingOn } from '../support/outgoingOn.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { openTestStore, temporaryDirectory } from '../support/temporaryStore.js';

const BEGAN = Date.UTC(2026, 0, 1);
const HOUR = 3_600_000;
export const PAUSED = '+13105559999';
const people = Array.from({ length: 6 }, (_, n) => `+1310555123${n}`);
const person = (n: number) => people[n % people.length] ?? '';

/** What is outside of the agent, and outlives it: the backend with what it knows, chat.db, and Messages. */
export interface Outside {
  /** Commands that the backend has made, and the acks that it got for each. */
  commands: Map<string, { command: ReceivedCommand; acks: AckBody[] }>;
  chatDb: IncomingMessage[];
  /** Guids of messages that were posted. */
  posted: string[];
  messages: FakeMessages;
  events: { type: string; details: Record<string, unknown> }[];
  schedules: string[];
}

/**
 * A run of the agent on a store: its components for commands, texts, schedules and replies, with a backend that
 * answers at once.
 */
export class Life {
  readonly log = new RecordingLog();
  readonly store: Store;
  private readonly commands: Commands;
  private readonly outgoing: Outgoing;
  private readonly scheduler: Scheduler;

  constructor(
    readonly path: string,
    readonly outside: Outside,
    readonly clock: FakeClock,
  ) {
    const { messages } = outside;
    const { log } = this;
    this.store = openTestStore(path, { clock, log });
    const { store } = this;
    const acks = new Acks(store, clock);
    this.outgoing = outgoingOn(store, messages, clock, {}, { log });
    this.scheduler = new Scheduler({
      ...{ store, texts: this.outgoing, acks, clock, log },
      settings: () => ({ maxLatenessMs: HOUR, acks: 'stored' }),
    });
    const refused = {
      kind: 'refused',
      field: 'url',
      errorCode: 'attachment_refused',
      message: 'none',
    } as const;
    const ports = {
      ...{ texts: this.outgoing, schedule: this.scheduler, clock },
      conversationKey: (threadId: string) => threadId,
      limits: () => ({
        maxAgeMs: 24 * HOUR,
        reflexMaxAgeMs: 24 * HOUR,
        bubbleDelayMs: 0,
        maxTextLength: 1000,
      }),
      files: { admit: () => refused, discard: () => undefined },
    };
    this.commands = new Commands(store, acks, log, [sendMessage(ports), scheduleMessage(ports)]);
    this.outgoing.onEnded((request) => {
      const verdict = requestVerdict(request.parts);
      this.commands.requestEnded(request, verdict);
      this.scheduler.textEnded(request, verdict);
    });
  }

  async start(): Promise<void> {
    await this.outgoing.start();
    this.scheduler.start();
  }

  /** The backend offers a command. */
  offer(made: ReceivedCommand): void {
    const command = { ...made, timestamp: this.clock.now() };
    const known = this.outside.commands.get(command.commandId);
    if (known === undefined) this.outside.commands.set(command.commandId, { command, acks: [] });
    this.commands.receive([command], 'websocket');
  }

  send(id: string, text: string, to: string, more: Record<string, unknown> = {}): void {
    this.offer(command(id, 'send_message_now', { thread_id: to, text, ...more }));
  }

  schedule(id: string, text: string, to: string, sendAt: number): void {
    const payload = { thread_id: to, message_text: text, send_at: new Date(sendAt).toISOString() };
    this.offer(command(id, 'schedule_message', payload));
  }

  /** Reads what chat.db has beyond the cursor, by date where that is lost. */
  read(upTo = Number.POSITIVE_INFINITY): void {
    const cursor = this.store.cursor.get();
    const reading = this.store.cursor.reading();
    const isLost = cursor?.generation === SALVAGED_GENERATION || reading?.caughtUp === false;
    const after = cursor === undefined || isLost ? 0 : cursor.rowId;
    const since = isLost ? this.clock.now() - 24 * HOUR : 0;
    for (const message of this.outside.chatDb) {
      if (isLost && this.store.cursor.seen.has(message.guid)) continue;
      if (message.rowId <= after || message.rowId > upTo || message.sentAt < since) continue;
      this.store.write(() => {
        this.store.incoming.add(message);
        this.store.cursor.set({ generation: 'g', rowId: message.rowId, guid: message.guid });
        this.store.cursor.seen.add({ ...SEEN, guid: message.guid, original: message.guid });
      });
    }
    const state = {
      since: BEGAN,
      seeded: true,
      movedAt: null,
      lookUntil: null,
      beganIn: null,
      samples: [],
      ...reading,
    };
    this.store.write(() => this.store.cursor.setReading({ ...state, caughtUp: true }));
  }

  /** Posts up to so many open messages; the backend answers each with two bubbles, or not at all. */
  post(limit = Number.POSITIVE_INFINITY): void {
    let left = limit;
    for (const conversation of this.store.incoming.openConversations()) {
      for (const { seq, message } of this.store.incoming.open(conversation, 1000)) {
        if (left-- <= 0) return;
        this.store.write(() => this.store.incoming.postStarted(seq, this.store.sends.newest()));
        this.outside.posted.push(message.guid);
        this.store.write(() => {
          const reply = { bubbles: [`answer to ${message.guid}`, `and more to ${message.guid}`] };
          for (const text of textsOf(message, reply as Parameters<typeof textsOf>[1], 0))
            this.outgoing.enqueue(text);
          this.store.incoming.settle(seq, 'answered');
        });
      }
    }
  }

  /** Delivers up to so many acks, and every event. */
  deliver(limit = Number.POSITIVE_INFINITY): void {
    for (const { seq, commandId, body } of this.store.acks.after(0, 10_000).slice(0, limit)) {
      this.outside.commands.get(commandId)?.acks.push(body);
      this.store.write(() => this.store.acks.clear([seq]));
    }
  }

  deliverEvents(): void {
    for (const { seq, eventType, details } of this.store.events.after(0, 10_000)) {
      this.outside.events.push({ type: eventType, details });
      this.store.write(() => this.store.events.clear([seq]));
    }
  }

  /** Lets Messages take up to so many texts. */
  async texts(limit = Number.POSITIVE_INFINITY): Promise<void> {
    const { messages } = this.outside;
    for (let count = 0; count < limit && ended.get(messages) !== messages.started.length; count++) {
      const attempt = messages.started.at(-1);
      if (attempt === undefined) return;
      ended.set(messages, messages.started.length);
      await messages.succeed(this.store.sends.attempting()[0]?.conversation);
      this.outgoing.chatChanged();
      await this.clock.advanceAsync(1_000);
    }
  }

  /** The backend offers again the commands without a final ack; or everything, if it was restored to an older state. */
  offerAgain(everything: boolean): void {
    for (const { command, acks } of this.outside.commands.values()) {
      if (everything || acks.length === 0) this.commands.receive([command], 'websocket');
    }
  }

  /** Everything that can happen happens; `offersAll`: the backend also offers again the commands with a final ack. */
  async settle(offersAll: boolean): Promise<void> {
    for (let round = 0; round < 3; round++) {
      this.read();
      this.post();
      await this.texts();
      this.deliver();
      this.offerAgain(offersAll && round === 1);
      await this.texts();
      // What is under way is looked for to the end of its time.
      await this.clock.advanceAsync(300_000);
      this.deliver();
      this.deliverEvents();
    }
  }

  stop(): void {
    this.scheduler.stop();
    this.outgoing.stop();
  }
}

const SEEN = { conversation: '', key: null, words: '', files: '', changed: false, seenAt: BEGAN };

/** How many of the started attempts have ended. */
const ended = new WeakMap<FakeMessages, number>();

function command(commandId: string, commandType: string, payload: Record<string, unknown>): ReceivedCommand {
  return { commandId, commandType, payload, priority: 'normal', timestamp: null, fault: null };
}

function message(n: number, sentAt: number): IncomingMessage {
  const conversation = person(n);
  return {
    ...{
      guid: `m${n}`,
      rowId: n + 1,
      conversation,
      threadId: conversation,
      sender: conversation,
      text: `question ${n}`,
    },
    ...{ chatGuid: `iMessage;-;${conversation}`, sentAt, isGroup: false, participants: [conversation] },
    ...{ service: 'iMessage', replyToGuid: null, attachments: [] },
  };
}

/** The files of a store at a moment of its run, as a kill -9 leaves them. */
export interface Killed {
  files: Map<string, Buffer>;
  outside: Outside;
}

/** A day of work, ended by a kill: commands done, waiting, under way; messages answered and open; schedules, a pause, contexts. */
export async function killedAtWork(): Promise<Killed> {
  const directory = temporaryDirectory();
  const path = join(directory, 'edge-agent.db');
  const clock = new FakeClock(BEGAN);
  const outside: Outside = {
    ...{
      commands: new Map(),
      chatDb: [],
      posted: [],
      messages: new FakeMessages(),
      events: [],
      schedules: [],
    },
  };
  const life = new Life(path, outside, clock);
  await life.start();
  const { store } = life;
  outside.chatDb = Array.from({ length: 60 }, (_, n) => message(n, clock.now() + n * 1000));
  store.write(() => {
    store.pauses.set(PAUSED, 'manual');
    for (let n = 0; n < 30; n++) {
      store.contexts.set(`+1310556${1000 + n}`, { note: 'x'.repeat(500) });
      store.emittedEvents.note(`told-${n}`);
      store.exchanges.set(`+1310557${1000 + n}`, { body: JSON.stringify({ rounds: n }), at: clock.now() });
      store.outages.record('backend', clock.now() - n, clock.now());
      store.newRecipients.add({ conversation: `+1310558${1000 + n}`, writtenAt: clock.now() }, 0);
      store.targetForms.set(`+1310559${1000 + n}`, 'chat');
      store.usedLinks.use(`link-${n}`, clock.now());
      store.aliases.add(`group-${n}`, `chat${n}`);
      store.uploads.add(`file-${n}`, {
        guid: `m${n}`,
        chatGuid: 'c',
        conversation: person(n),
        isGroup: false,
        text: '',
        participants: [],
      });
    }
    store.meta.set('registration', JSON.stringify({ agentId: 'edge_1' }));
    store.cursor.setPending([{ rowId: 1, firstSeenAt: clock.now() }]);
  });
  for (let n = 0; n < 60; n++)
    life.schedule(`s${n}`, `later ${n} ${'y'.repeat(100)}`, person(n), clock.now() + 30 * 24 * HOUR);
  for (let n = 0; n < 50; n++) life.send(`c${n}`, `command ${n} ${'z'.repeat(100)}`, person(n));
  await life.texts();
  life.read(45);
  life.post(35);
  await life.texts();
  life.deliver(85);
  for (let n = 50; n < 90; n++) life.send(`c${n}`, `command ${n} ${'z'.repeat(100)}`, person(n));
  for (let n = 0; n < 5; n++) life.send(`p${n}`, `held ${n}`, PAUSED);
  await life.texts(3);
  life.stop();
  outside.schedules = store.schedule.list('pending', 1000).map(({ commandId }) => commandId);
  const files = new Map(['', '-wal'].map((suffix) => [suffix, readFileSync(path + suffix)]));
  const under = outside.messages.started.at(-1);
  // Only Messages knows whether the text in progress was sent: it was.
  if (under !== undefined) outside.messages.dispatchedBeforeDeath.add(under.tag);
  store.close();
  return { files, outside };
}

/** Writes the killed store into a directory of its own; the world outside is a copy. */
export function revive(
  { files, outside }: Killed,
  isCheckpointed: boolean,
): { path: string; outside: Outside } {
  const path = join(temporaryDirectory(), 'edge-agent.db');
  for (const [suffix, bytes] of files) {
    const file = openSync(path + suffix, 'w', 0o600);
    writeSync(file, bytes);
    closeSync(file);
  }
  if (isCheckpointed) {
    const database = openDatabase(path);
    database.pragma('wal_checkpoint(TRUNCATE)');
    database.close();
  }
  const messages = new FakeMessages();
  messages.started.push(...outside.messages.started);
  messages.rows.push(...outside.messages.rows);
  for (const tag of outside.messages.dispatchedBeforeDeath) messages.dispatchedBeforeDeath.add(tag);
  ended.set(messages, messages.started.length);
  const commands = new Map(
    [...outside.commands].map(([id, { command, acks }]) => [id, { command, acks: [...acks] }]),
  );
  return {
    path,
    outside: { ...outside, messages, commands, posted: [...outside.posted], events: [...outside.events] },
  };
}

/** The next run, an hour later. */
export async function nextLife(path: string, outside: Outside): Promise<Life> {
  const life = new Life(path, outside, new FakeClock(BEGAN + HOUR));
  onTestFinished(() => {
    life.stop();
    life.store.close();
  });
  await life.start();
  return life;
}

/** Which page of a table: the first of its tree, one that holds rows, or any of it and its indexes. */
export const PLACES = ['leaf', 'root', 'any'] as const;
export type Place = (typeof PLACES)[number] | 'tree';

const PAGES: Readonly<Record<Place, string>> = {
  tree: 'SELECT pageno FROM dbstat WHERE name = ?',
  root: 'SELECT rootpage FROM sqlite_master WHERE name = ?',
  leaf: "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY pageno",
  any: `SELECT DISTINCT pageno FROM dbstat
    WHERE name IN (SELECT name FROM sqlite_master WHERE tbl_name = ?) ORDER BY pageno`,
};

/** The pages of a table, from 1. The file is left as it is. */
export function pagesOf(path: string, table: string, place: Place): number[] {
  const copy = `${path}.copy`;
  for (const suffix of ['', '-wal'])
    if (existsSync(path + suffix)) copyFileSync(path + suffix, copy + suffix);
  const database = openDatabase(copy);
  try {
    return database.prepare<unknown[], number>(PAGES[place]).pluck().all(table);
  } finally {
    database.close();
    for (const suffix of ['', '-wal', '-shm']) rmSync(copy + suffix, { force: true });
  }
}

/** In which ways a disk spoils a page. */
export const SPOILS = ['ones', 'zeros', 'noise', 'another page'] as const;
export type Spoil = (typeof SPOILS)[number];

/** Overwrites a page in the main file. */
export function spoil(path: string, page: number, how: Spoil, random: () => number): void {
  const bytes = Buffer.alloc(PAGE, how === 'ones' ? 0xff : 0);
  if (how === 'noise') for (let n = 0; n < PAGE; n++) bytes[n] = Math.floor(random() * 256);
  const file = openSync(path, 'r+');
  if (how === 'another page') {
    const pages = Math.floor(statSync(path).size / PAGE);
    readSync(file, bytes, 0, PAGE, PAGE * (1 + Math.floor(random() * (pages - 1))));
  }
  writeSync(file, bytes, 0, PAGE, PAGE * (page - 1));
  closeSync(file);
}
