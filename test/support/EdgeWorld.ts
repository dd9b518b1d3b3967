import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { echo, type Persona } from '../../src/kit/backend/persona.js';
import { SimulatedBackend } from '../../src/kit/backend/SimulatedBackend.js';
import type { AppleVersion } from '../../src/kit/messages/appleSchema.js';
import { type Behaviour, behave, type CallFilter } from '../../src/kit/messages/osascriptBehaviour.js';
import { readCalls } from '../../src/kit/messages/osascriptLog.js';
import type { NewIncoming } from '../../src/kit/messages/SimulatedIncoming.js';
import { SimulatedMac } from '../../src/kit/messages/SimulatedMac.js';
import { openDatabase } from '../../src/store/sqlite.js';
import type { Clock } from '../../src/system/clock.js';
import { DaemonProcess, type SpawnOptions, STARTED } from './DaemonProcess.js';
import { PATIENCE_MS } from './patience.js';
import type { Place } from './program.js';
import { type CliResult, cleanEnvironment, runCli } from './runCli.js';
import { endServing, servedOsascript } from './ServedOsascript.js';
import { until } from './until.js';

export const PERSON = '+13105551234';
export const OWN = '+13105550100';
export const AGENT_ID = 'edge_13105550100';
export const SECRET = 'e2e-secret-0f2d7c';

export const REALTIME = '✅ WebSocket connected - real-time mode enabled';

/** Where a test says what is to be done when it is over; its context has it, also when tests run side by side. */
export interface Cleanup {
  onTestFinished: (clean: () => void | Promise<void>) => void;
}

export interface WorldOptions {
  version?: AppleVersion;
  persona?: Persona;
  /** Settings by their path, such as `backend.sync_interval_seconds`. */
  settings?: Readonly<Record<string, unknown>>;
  /** What `.env` holds as EDGE_SECRET; null: there is no `.env`. */
  secret?: string | null;
  /** True: the backend keeps its commands on the disk, as `edge-agent dev-backend` does. */
  durableBackend?: boolean;
  /** The backend's clock; the same as everybody's unless given. */
  backendClock?: Clock;
  /** Where the state directory is, below that of the world; `state` unless given. */
  state?: string;
  /** True: Messages has never been opened, so there is no chat.db. */
  withoutMessages?: boolean;
}

/** A Mac, a backend and a directory of their own, into which a test puts the real daemon. All is gone after the test. */
export class EdgeWorld {
  readonly state: string;
  readonly configPath: string;
  readonly envPath: string;
  readonly logPath: string;
  /** Where Messages keeps its files. */
  readonly attachments: string;
  /** Files below it may be sent by their path. */
  readonly shared: string;
  readonly place: Place;
  private readonly daemons: DaemonProcess[] = [];
  private messages: SimulatedMac | undefined;

  private constructor(
    readonly directory: string,
    readonly backend: SimulatedBackend,
    private readonly options: WorldOptions,
  ) {
    this.state = join(directory, options.state ?? 'state');
    this.configPath = join(directory, 'config.yaml');
    this.envPath = join(directory, '.env');
    this.logPath = join(this.state, 'edge-agent.log');
    this.attachments = join(directory, 'Messages', 'Attachments');
    this.shared = join(directory, 'shared');
    mkdirSync(this.shared);
    this.place = { cwd: directory, env: cleanEnvironment(directory) };
    if (options.withoutMessages !== true) this.openMessages();
    this.writeConfig(options.settings ?? {});
    if (options.secret !== null) this.writeSecret(options.secret ?? SECRET);
  }

  static async open({ onTestFinished }: Cleanup, options: WorldOptions = {}): Promise<EdgeWorld> {
    const directory = realpathSync(mkdtempSync(join(tmpdir(), 'edge-e2e-')));
    const persona = options.persona ?? echo;
    const { backendClock: clock } = options;
    const data = options.durableBackend === true ? join(directory, 'backend.db') : undefined;
    const given = { ...(data === undefined ? {} : { data }), ...(clock === undefined ? {} : { clock }) };
    const backend = await SimulatedBackend.start({ port: 0, secret: SECRET, persona, ...given });
    const world = new EdgeWorld(directory, backend, options);
    onTestFinished(() => world.close());
    return world;
  }

  get mac(): SimulatedMac {
    if (this.messages === undefined) throw new Error('Messages was not opened yet');
    return this.messages;
  }

  /** Messages is opened for the first time: chat.db comes into being. */
  openMessages(): void {
    this.messages = new SimulatedMac(this.directory, this.options.version ?? 15, servedOsascript);
    this.messages.chatDb.directChat(PERSON);
  }

  writeSecret(secret: string): void {
    writeFileSync(this.envPath, `EDGE_SECRET='${secret}'\n`, { mode: 0o600 });
  }

  /** JSON is YAML; what is not named here is as quick as a test wants it. */
  writeConfig(settings: Readonly<Record<string, unknown>>): void {
    const all: Record<string, unknown> = {
      'edge.user_phone': OWN,
      'backend.url': this.backend.url,
      'backend.sync_interval_seconds': 1,
      'imessage.db_path': join(this.directory, 'Messages', 'chat.db'),
      'imessage.attachments_path': this.attachments,
      'imessage.osascript_path': join(this.directory, 'osascript', 'osascript'),
      'attachments.allowed_roots': [this.shared],
      'outgoing.bubble_delay_ms': 20,
      'monitor.enabled': false,
      'supervisor.enabled': false,
      'supervisor.caffeinate': false,
      'state.directory': this.state,
      ...settings,
    };
    const tree: Record<string, Record<string, unknown>> = {};
    for (const [path, value] of Object.entries(all)) {
      const [section = '', key = ''] = path.split('.');
      tree[section] = { ...tree[section], [key]: value };
    }
    writeFileSync(this.configPath, JSON.stringify(tree, null, 2));
  }

  /** Starts the daemon; resolves at the line, which is the one of real time unless given. */
  async start(line: string | RegExp = REALTIME): Promise<DaemonProcess> {
    const daemon = this.spawn();
    await daemon.line(line);
    return daemon;
  }

  /** Starts the daemon; resolves as soon as it runs at all. */
  startDegraded(): Promise<DaemonProcess> {
    return this.start(STARTED);
  }

  spawn(verb: readonly string[] = ['run'], options: Omit<SpawnOptions, 'verb'> = {}): DaemonProcess {
    const daemon = DaemonProcess.spawn(this.place, { verb, ...options });
    this.daemons.push(daemon);
    return daemon;
  }

  cli(...args: string[]): Promise<CliResult> {
    return runCli(args, this.place);
  }

  /** Queues a behaviour for the next osascript calls. */
  behave(behaviour: Behaviour, options: CallFilter & { times?: number | 'always' } = {}): void {
    behave(this.mac.osascriptDirectory, behaviour, options);
  }

  /** Resolves when osascript was called so often. */
  calls(count: number): Promise<void> {
    return until(
      () => readCalls(this.mac.osascriptDirectory).length >= count,
      () => `${count} osascript calls`,
    );
  }

  /** The texts that went out, oldest first; of a file its name. */
  get texts(): string[] {
    return this.mac.sent().map(({ text, file }) => file?.name ?? text);
  }

  /** Where Messages keeps the file of an attachment; its directory is there. */
  attachmentPath(guid: string, name: string): string {
    const path = join(this.attachments, '00', '00', guid, name);
    mkdirSync(dirname(path), { recursive: true });
    return path;
  }

  /** A message with an image comes in. Returns its guid. */
  receiveImage(message: Omit<NewIncoming, 'attachments'>, imageGuid: string): string {
    const bytes = randomBytes(2_000);
    const name = 'IMG_1.jpeg';
    writeFileSync(this.attachmentPath(imageGuid, name), bytes);
    const attachments = [{ guid: imageGuid, name, sizeBytes: bytes.length }];
    return this.mac.chatDb.receive({ ...message, attachments }).guid;
  }

  /** Resolves when so many texts went out. */
  sent(count: number): Promise<void> {
    const what = () => `${count} texts; there are ${JSON.stringify(this.texts)}`;
    return until(() => this.texts.length >= count, what);
  }

  /** Resolves when chat.db has so many texts of ours that Messages says it has sent: some time after osascript was asked. */
  async inChatDb(count: number): Promise<void> {
    const chatDb = openDatabase(this.mac.chatDbPath, { readonly: true });
    try {
      const sent = chatDb
        .prepare('SELECT count(*) FROM message WHERE is_from_me = 1 AND is_sent = 1')
        .pluck();
      await until(
        () => Number(sent.get()) >= count,
        () => `${count} rows of ours in chat.db`,
      );
    } finally {
      chatDb.close();
    }
  }

  /** Has a text sent to the person; returns the command's id. */
  command(text: string, more: Record<string, unknown> = {}): string {
    const payload = { thread_id: PERSON, text, ...more };
    return this.backend.pushCommand({ command_type: 'send_message_now', payload }).commandId;
  }

  /** The acks of a command that came so far, each revision once, the first first. */
  acksOf(commandId: string) {
    const bodies = this.backend.acks.map(({ body }) => body).filter((ack) => ack.command_id === commandId);
    return bodies.filter(
      (ack, index) => bodies.findIndex(({ revision }) => revision === ack.revision) === index,
    );
  }

  /** Resolves with the nth revision of a command's ack. */
  async acked(commandId: string, revision = 1) {
    await this.backend.until(() => this.acksOf(commandId).length >= revision, PATIENCE_MS);
    const ack = this.acksOf(commandId)[revision - 1];
    if (ack === undefined) throw new Error('unreachable: the ack was there');
    return ack;
  }

  /** The log file, line by line. */
  log(): string[] {
    return readFileSync(this.logPath, 'utf8').split('\n').slice(0, -1);
  }

  private async close(): Promise<void> {
    for (const daemon of this.daemons) await daemon.dispose();
    await this.backend.stop();
    if (this.messages !== undefined) {
      for (const { pid } of readCalls(this.messages.osascriptDirectory)) endStandIn(pid, this.directory);
      endServing(this.messages.osascriptDirectory);
      this.messages.close();
    }
    // Who served osascript may still write there.
    await rm(this.directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }
}

/** Ends an osascript stand-in that hangs on request; only if the process with that id is still that one. */
function endStandIn(pid: number, directory: string): void {
  if (existsSync('/proc') && !existsSync(`/proc/${pid}`)) return;
  try {
    const command = execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' });
    if (command.includes(directory)) process.kill(pid, 'SIGKILL');
  } catch {
    // ps finds no such process: it ended by itself, which is how nearly all of them end.
  }
}
