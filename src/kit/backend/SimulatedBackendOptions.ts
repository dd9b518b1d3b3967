import type { CallerRate } from '../../gateway/agents/CallerRateLimit.js';
import type { Envelope } from '../../gateway/agents/frames.js';
import type { Clock } from '../../system/clock.js';
import type { Persona } from './persona.js';

/** What a reference backend is made of. */
export interface SimulatedBackendOptions {
  /** 0: a free one. */
  port: number;
  /** The address to listen on; 127.0.0.1 unless given. Any that others can reach demands keys of 16 characters. */
  host?: string;
  secret: string;
  persona: Persona;
  /** Frame types beyond the documents that are read and announced; `event` and `status` unless given. */
  accepts?: readonly string[];
  /** Gets the debug lines of a backend. They hold texts and agent ids. */
  log?: (line: string) => void;
  clock?: Clock;
  /** True: plain secrets are refused, and a separate admin key is required. */
  production?: boolean;
  /** What a new agent may register with instead of the secret. */
  registrationToken?: string;
  /** For /api/send-message and the statistics; the secret unless given. */
  adminKey?: string;
  /** An agent that is silent for so long is dropped, in ms; 60 000 unless given. */
  silenceMs?: number;
  /** Where a command is in its frame; by default under both `data` and `payload`, so that every client finds it. */
  envelope?: Envelope;
  /** How many requests one caller may make; without a limit unless given. */
  rate?: CallerRate;
  /** How wrong credentials are answered on the socket: by a close code (unless given), or by 401 and 403 to the upgrade. */
  refuseBy?: 'close' | 'status';
  /** The SQLite file in which commands, and which messages were answered, outlive the process; in memory unless given. */
  data?: string;
  /** How many entries each list of the journal keeps; 100 000 unless given. */
  historyLimit?: number;
}
