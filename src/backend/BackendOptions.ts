import type { Logger } from '../logging/Logger.js';
import type { Command } from '../model/command.js';
import type { Circuit } from '../system/Circuit.js';
import type { Clock } from '../system/clock.js';
import type { Outbound } from '../system/Outbound.js';
import type { Random } from '../system/random.js';
import type { BackendSecrets, BackendSettings, BackendStore, Timings } from './settings.js';

/** All that the room needs from outside. */
export interface BackendOptions {
  /** Read at each use: live changes apply at once. */
  readonly config: () => BackendSettings;
  /** Read at each use: a corrected `.env` counts from the next request on. */
  readonly secrets: () => BackendSecrets;
  /** How other machines are reached. */
  readonly outbound: Outbound;
  readonly version: string;
  readonly platform: NodeJS.Platform;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly store: BackendStore;
  /** Told how requests fare, those about files apart; while it is open, acks wait for it. */
  readonly circuit?: Circuit;
  /**
   * Durable when it returns, or, of what came by the socket, at the end of this turn of the loop. A throw means "not stored": nothing is
   * acked and the backend offers them again.
   */
  readonly inbox: { receive(commands: readonly Command[], via: 'websocket' | 'http'): void };
  /** Calls its argument at the end of this turn of the loop: what pongs prove in it is one commit with what else it brings. At once if left out. */
  readonly atTurnEnd?: (work: () => void) => void;
  /** Protocol §7. */
  readonly snapshot: () => Record<string, unknown>;
  readonly onConfigUpdate: (settings: Record<string, unknown>) => void;
  /** Waits other than the protocol's, for tests. */
  readonly timings?: Partial<Timings>;
}
