import type { AgentConnection } from './AgentConnection.js';
import { CLOSE } from './frames.js';

/**
 * Who is connected: at most one live connection for an agent id. This is where an HTTP request finds the socket
 * of the agent that made it.
 */
export class ConnectionRegistry {
  private readonly live = new Map<string, AgentConnection>();

  /** Takes the place of the agent's former connection, which is closed with 4409. Returns whether there was one. */
  add(connection: AgentConnection): boolean {
    const former = this.live.get(connection.agentId);
    this.live.set(connection.agentId, connection);
    former?.close(CLOSE.replaced, 'another connection with this agent id took over');
    return former !== undefined;
  }

  /**
   * Forgets a connection that closed. One that was replaced closes late, when its successor is long in place:
   * the successor stays.
   */
  remove(connection: AgentConnection): void {
    if (this.live.get(connection.agentId) === connection) this.live.delete(connection.agentId);
  }

  /** The agent's connection, if it is open as far as we know. */
  find(agentId: string): AgentConnection | undefined {
    const connection = this.live.get(agentId);
    return connection?.open ? connection : undefined;
  }

  /** How many agents are connected. */
  get size(): number {
    return this.live.size;
  }

  /** The live connections of all agents, or of one. */
  all(agentId?: string): AgentConnection[] {
    return [...this.live.values()].filter((one) => one.open && (agentId ?? one.agentId) === one.agentId);
  }
}
