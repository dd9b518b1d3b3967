import type { Config } from '../config/schema.js';
import type { Logger } from '../logging/Logger.js';
import type { ChatDb } from '../messages/chatdb/ChatDb.js';
import { findText } from '../messages/chatdb/ChatDb.js';
import type { Problem } from '../model/problem.js';
import type { TextRequest } from '../model/sending.js';
import { ownText } from '../outgoing/outcomeEvents.js';
import type { Store } from '../store/Store.js';
import { Caffeinate } from '../supervisor/Caffeinate.js';
import { InboundWatch, type Stall } from '../supervisor/InboundWatch.js';
import type { AttemptEnd } from '../supervisor/judgeAttempt.js';
import { MessagesApp } from '../supervisor/MessagesApp.js';
import { Supervisor } from '../supervisor/Supervisor.js';
import { childEnvironment } from '../system/childEnvironment.js';
import type { Clock } from '../system/clock.js';
import type { Programs } from '../system/programs.js';
import { freshId } from '../system/random.js';

interface SupervisionOptions {
  /** Nothing is looked after on anything but `darwin`. */
  platform: NodeJS.Platform;
  programs: Programs;
  config: () => Config;
  env: NodeJS.ProcessEnv;
  chatDb: ChatDb;
  store: Store;
  clock: Clock;
  log: Logger;
  /** Inside a write. */
  enqueue: (text: TextRequest) => void;
  conversationKey: (address: string) => string;
  linkUp: () => boolean;
}

const ECHO_KNOWN = 'canary.echo_known';

/** The supervisor room for the agent: Messages, caffeinate and the inbound watch, as the configuration wants them. */
export class Supervision {
  private readonly app: MessagesApp;
  private readonly supervisor: Supervisor | undefined;
  private readonly caffeinate: Caffeinate | undefined;
  private readonly inbound: InboundWatch | undefined;

  constructor(private readonly options: SupervisionOptions) {
    const { platform, programs, config, clock, log } = options;
    const { supervisor, imessage } = config();
    const env = childEnvironment(options.env);
    this.app = new MessagesApp({ programs, osascriptPath: imessage.osascript_path, env, clock });
    if (platform !== 'darwin') return;
    if (supervisor.enabled) this.supervisor = new Supervisor({ app: this.app, clock, log });
    if (supervisor.caffeinate) {
      this.caffeinate = new Caffeinate({ path: programs.caffeinate, pid: process.pid, env, clock, log });
    }
    this.inbound = this.inboundWatch();
  }

  start(): void {
    this.supervisor?.start();
    this.caffeinate?.start();
    this.inbound?.start();
  }

  /** Idempotent. */
  stop(): void {
    this.supervisor?.stop();
    this.caffeinate?.stop();
    this.inbound?.stop();
  }

  /** See Supervisor.ready; undefined also where Messages is not looked after. */
  ready(): Promise<boolean> | undefined {
    return this.supervisor?.ready();
  }

  note(attempt: AttemptEnd): void {
    this.supervisor?.note(attempt);
  }

  /** chat.db was looked at. */
  looked(): void {
    this.inbound?.looked();
  }

  /** A message from a person was read. */
  arrived(): void {
    this.inbound?.arrived();
  }

  woke(): void {
    this.supervisor?.woke();
    this.inbound?.woke();
  }

  fault(): Problem<number, 'messages_unavailable'> | undefined {
    return this.supervisor?.fault();
  }

  /** See InboundWatch.fault. */
  stall(): Problem<number, 'inbound_stalled'> | undefined {
    return this.inbound?.fault();
  }

  private inboundWatch(): InboundWatch {
    const { config, clock, log, chatDb, store, linkUp } = this.options;
    return new InboundWatch({
      clock,
      log,
      linkUp,
      highestRow: () => chatDb.highestRowId(),
      settings: () => ({
        stallMs: config().imessage.stall_minutes * 60_000,
        canaryMs: config().imessage.canary_minutes * 60_000,
      }),
      canary: {
        send: (text) => this.sendToSelf(text) !== undefined,
        rows: (text, afterRow) => findText(chatDb, text, afterRow),
        echoKnown: () => store.tryRead(() => store.meta.get(ECHO_KNOWN))?.value !== undefined,
        rememberEcho: () => void store.tryWrite(() => store.meta.set(ECHO_KNOWN, 'yes')),
      },
      onStall: (stall) => this.report(stall),
      nudge: () => {
        if (this.supervisor !== undefined) void this.app.open();
      },
    });
  }

  /** Queues a text to our own number, which is not reported to the backend; its id, undefined if the store cannot be written. */
  sendToSelf(text: string): string | undefined {
    const { store, config, conversationKey, enqueue } = this.options;
    const address = config().edge.user_phone;
    const own = ownText(freshId('text'), text, { address, conversation: conversationKey(address) });
    return store.tryWrite(() => enqueue(own)) ? own.id : undefined;
  }

  private report({ cause, minutes }: Stall): void {
    const { store } = this.options;
    store.tryWrite(() => store.events.add({ eventType: 'inbound_stalled', details: { cause, minutes } }));
  }
}
