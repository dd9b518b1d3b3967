import type { AgentConnection, ConnectionFaults } from './AgentConnection.js';
import { commandFrame, type WireCommand } from './frames.js';
import type { HttpReply } from './requestBody.js';

/** What to do with an upgrade request: answer it, answer with this status instead, or never answer. */
export type UpgradeFault =
  | { kind: 'none' }
  | { kind: 'status'; status: number; retryAfter?: number }
  | { kind: 'hang' };

/** A layer between an EdgeServer and its agents, for a backend that simulates faults. Called at each step. */
export interface Interposer extends ConnectionFaults {
  upgrade(): UpgradeFault;
  /**
   * Resolves when a request may be processed; if it resolves with a reply, that is sent instead. `stopping`: no one is
   * answered any more.
   */
  request(path: string): Promise<HttpReply | 'stopping' | undefined>;
  /** Whether a request was carried out without its caller ever hearing of it. */
  losesReply(path: string): boolean;
  /** What goes over this socket for a command; nothing where it is kept back. Called as it goes. */
  commandFrames(connection: AgentConnection, command: WireCommand): readonly string[];
}

/** Of a server that works. */
export const NO_FAULTS: Interposer = {
  upgrade: () => ({ kind: 'none' }),
  request: async () => undefined,
  losesReply: () => false,
  holdsPong: () => false,
  isFrozen: () => false,
  commandFrames: (_connection, command) => [commandFrame(command, 'both')],
};
