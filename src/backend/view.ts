import type { Problem } from '../model/problem.js';
import type { LinkState } from './linkTypes.js';

/** The link as `status` shows it. Instants are Unix ms. */
export interface LinkView {
  readonly state: LinkState['name'];
  /** Whether there is a socket by which acks, events and status go, as there may be while it is drained. */
  readonly isLive: boolean;
  readonly since: number;
  /** Dials in a row that did not become a stable link. */
  readonly attempt: number;
  readonly rttMs: number | null;
  readonly lastPongAt: number | null;
  /** How often the link came back in the last 24 hours. */
  readonly reconnects24h: number;
  readonly nextAttemptAt: number | null;
  readonly poller: 'running' | 'paused' | 'off';
  readonly lastDisconnect?: { readonly cause: string; readonly at: number };
  /** What shows that the backend takes what we bring. Unix ms; null: not seen yet. */
  readonly seen: {
    /** The newest request that was answered by 2xx. */
    readonly http: { readonly at: number; readonly path: string } | null;
    readonly syncAt: number | null;
  };
  readonly refusedAcks: RefusedAcks;
  readonly problems: readonly Problem<number>[];
}

/** Acks that the backend does not take although it takes others: how many, of how many commands, and since when (Unix ms). */
export interface RefusedAcks {
  readonly count: number;
  readonly commands: number;
  readonly since: number | null;
}
