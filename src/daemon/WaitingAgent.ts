import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config/schema.js';
import { describeError, EdgeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import type { Problem } from '../model/problem.js';
import type { StatusSnapshot } from '../model/status.js';
import { ANY_VERB, StatusServer, type StatusVerb } from '../operator/StatusServer.js';
import { socketPath } from '../operator/socketPath.js';
import { idleStatus } from '../operator/statusSnapshot.js';
import { InstanceLock } from '../store/InstanceLock.js';
import { lookIntoStore } from '../store/lookIntoStore.js';
import type { Clock } from '../system/clock.js';
import { stoppedVerbs } from './stoppedVerbs.js';

interface WaitingOptions {
  stateDirectory: string;
  startedAt: number;
  clock: Clock;
  log: Logger;
  /** The path of the configuration. */
  configPath: string;
  /** Whether the state directory is known to be that of the agent. If it is a guess, its store must not be changed. */
  isItsOwn: () => boolean;
  /** The configuration that the agent would use; throws EdgeError while it has errors. */
  config: () => Config;
  /** The lock on the state directory, if this process holds it already. */
  lock?: InstanceLock | undefined;
  /** What keeps the agent from running now. */
  problems: () => readonly Problem[];
}

/**
 * A service that cannot run: it holds the instance lock and the status socket of the agent, does nothing, and reports
 * what must be fixed. Everything that works on a stopped agent works on it: an emergency stop applies from its start.
 */
export class WaitingAgent {
  private server: StatusServer | undefined;

  private constructor(
    private readonly options: WaitingOptions,
    private readonly lock: InstanceLock,
  ) {}

  /** Throws EdgeError `already_running` or `state_unwritable`. */
  static async open(options: WaitingOptions): Promise<WaitingAgent> {
    const { stateDirectory, log, clock } = options;
    const lock = options.lock ?? acquire(stateDirectory);
    const waiting = new WaitingAgent(options, lock);
    try {
      waiting.server = await StatusServer.listen(socketPath(stateDirectory), waiting.verbs(), log, clock);
      return waiting;
    } catch (cause) {
      lock.release();
      throw cause instanceof EdgeError ? cause : unwritable(stateDirectory, cause);
    }
  }

  async close(): Promise<void> {
    (await this.handOver()).release();
  }

  /** Ends without giving up its locks: callers meanwhile get the answer that an agent is starting, not that none is running. */
  async handOver(): Promise<InstanceLock> {
    await this.server?.close();
    return this.lock;
  }

  private verbs() {
    return {
      status: () => this.snapshot(),
      waiting: () => ({ config: this.options.configPath }),
      ...this.stoppedVerbs(),
      [ANY_VERB]: () => {
        const [first] = this.options.problems();
        throw new EdgeError(
          first?.code ?? 'internal',
          `The agent waits and does nothing: ${first?.message ?? ''}`,
          'See everything that needs fixing: edge-agent status',
        );
      },
    };
  }

  private stoppedVerbs(): Record<string, StatusVerb> {
    const { stateDirectory: directory, isItsOwn } = this.options;
    const verbs: Record<string, StatusVerb> = stoppedVerbs({ ...this.options, directory, isLockHeld: true });
    const guarded = Object.entries(verbs).map(([name, act]): [string, StatusVerb] => [
      name,
      (args) => {
        if (isItsOwn()) return act(args);
        throw this.elsewhere();
      },
    ]);
    return Object.fromEntries(guarded);
  }

  private elsewhere(): EdgeError {
    const [first] = this.options.problems();
    return new EdgeError(
      first?.code ?? 'internal',
      `Nothing was done: the agent waits, and its state directory is not known or cannot be used. ${first?.message ?? ''}`,
      'Fix that, or name the directory: EDGE_STATE_DIRECTORY=<directory> edge-agent …',
    );
  }

  private snapshot(): StatusSnapshot {
    const { clock, startedAt, stateDirectory, problems } = this.options;
    const store = lookIntoStore(join(stateDirectory, 'edge-agent.db'), clock);
    return idleStatus({ startedAt, now: clock.now(), problems: problems(), store });
  }
}

function acquire(directory: string): InstanceLock {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    chmodSync(directory, 0o700);
  } catch (cause) {
    throw unwritable(directory, cause);
  }
  return InstanceLock.acquire(join(directory, 'agent.lock'));
}

function unwritable(directory: string, cause: unknown): EdgeError {
  return new EdgeError(
    'state_unwritable',
    `The state directory ${directory} cannot be used: ${describeError(cause)}.`,
    'Set state.directory to a place that this user may write to.',
    { cause },
  );
}
