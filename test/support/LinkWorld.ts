import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BackendOptions, BackendSettings, Timings } from '../../src/backend/settings.js';
import { Acks, Commands } from '../../src/commands/Commands.js';
import type { Handler } from '../../src/commands/Handler.js';
import { silent } from '../../src/kit/backend/persona.js';
import { SimulatedBackend } from '../../src/kit/backend/SimulatedBackend.js';
import { CountingClock } from './CountingClock.js';
import { FaultyProxy } from './FaultyProxy.js';
import { RecordingLog } from './RecordingLog.js';
import { AGENT_ID, makeBackend, type Running } from './startBackend.js';
import { until } from './until.js';

export interface WorldOptions {
  readonly settings?: Partial<BackendSettings>;
  readonly timings?: Partial<Timings>;
  readonly options?: Partial<BackendOptions>;
}

/**
 * The real line with the real store and commands room on one side, the reference backend on the other, and a faulty proxy
 * between them through which everything goes. Commands are of one type, `note`, whose handler counts how often it ran.
 */
export class LinkWorld {
  /** How often each command was executed. */
  readonly executions = new Map<string, number>();
  readonly pushed: string[] = [];
  readonly clock = new CountingClock();
  private readonly directory = mkdtempSync(join(tmpdir(), 'edge-link-'));
  private current: Running;

  private constructor(
    readonly simulated: SimulatedBackend,
    readonly proxy: FaultyProxy,
    private readonly overrides: WorldOptions,
  ) {
    this.current = this.begin();
  }

  /** Started; `online` resolves when the link is up. */
  static async open(overrides: WorldOptions = {}): Promise<LinkWorld> {
    const simulated = await SimulatedBackend.start({ port: 0, secret: 'open sesame', persona: silent });
    const proxy = await FaultyProxy.start(() => simulated.port);
    return new LinkWorld(simulated, proxy, overrides);
  }

  /** Our side as it is now; another after `restart`. */
  get made(): Running {
    return this.current;
  }

  /** Our side stops like a service, and starts again on the same store. */
  async restart(): Promise<void> {
    await this.current.stop();
    this.current = this.begin();
  }

  get state(): string {
    return this.made.backend.view().state;
  }

  /** Gives the backend a command for the agent; returns its id. */
  push(via?: 'polling'): string {
    const command_id = `cmd_${this.pushed.length}`;
    this.pushed.push(command_id);
    const options = { agentId: AGENT_ID, ...(via === undefined ? {} : { via }) };
    this.simulated.pushCommand({ command_id, command_type: 'note' }, options);
    return command_id;
  }

  /** Something for the other way, under the same rules as acks. */
  tell(): void {
    this.made.store.write(() => this.made.store.events.add({ eventType: 'backend_note', details: {} }));
  }

  is(state: string): Promise<void> {
    return until(
      () => this.state === state,
      () => `the link to be ${state}, which is ${this.state}`,
    );
  }

  executed(commandId: string): Promise<void> {
    return until(
      () => this.executions.has(commandId),
      () => `${commandId} to be executed`,
    );
  }

  /** Every command is executed and acked, and nothing waits on our side for a proof that it was read. */
  settled(): Promise<void> {
    const { store } = this.made;
    const notAcked = () => {
      const acked = new Set(this.simulated.acks.map(({ body }) => body.command_id));
      return this.pushed.filter((id) => !acked.has(id)).length;
    };
    const left = () => ({
      notExecuted: this.pushed.length - this.executions.size,
      notAcked: notAcked(),
      acksQueued: store.acks.count(),
      eventsQueued: store.events.count(),
    });
    return until(
      () => Object.values(left()).every((count) => count === 0),
      () => `everything to settle: ${JSON.stringify({ ...left(), state: this.state })}`,
    );
  }

  /** Commands that ran more than once; there must be none. */
  get repeated(): string[] {
    return [...this.executions].flatMap(([id, times]) => (times === 1 ? [] : [id]));
  }

  /** Drains the line; what of it is still there afterwards. */
  async leave(): Promise<{ timers: number; connections: number }> {
    await this.made.backend.drain(1_000);
    this.proxy.thaw();
    this.proxy.slowDown(null);
    await until(
      () => this.proxy.openConnections === 0,
      () => `${this.proxy.openConnections} connections to end`,
      3_000,
    ).catch(() => undefined);
    return { timers: this.clock.pending, connections: this.proxy.openConnections };
  }

  async close(): Promise<void> {
    await this.made.stop();
    await this.proxy.close();
    await this.simulated.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }

  private begin(): Running {
    const { clock, directory, overrides } = this;
    const intake: { commands?: Commands } = {};
    const made = makeBackend(
      { url: this.proxy.url, happened: () => undefined },
      {
        ...overrides,
        directory,
        options: {
          clock,
          inbox: { receive: (commands, via) => intake.commands?.receive(commands, via) },
          ...overrides.options,
        },
      },
    );
    const note: Handler = {
      types: ['note'],
      run: ({ commandId }) => {
        this.executions.set(commandId, (this.executions.get(commandId) ?? 0) + 1);
        return { kind: 'completed' };
      },
    };
    intake.commands = new Commands(made.store, new Acks(made.store, clock), new RecordingLog(), [note]);
    made.backend.start();
    return made;
  }
}
