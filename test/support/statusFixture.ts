import type { StatusSnapshot } from '../../src/model/status.js';
import { idleStatus } from '../../src/operator/statusSnapshot.js';

/** The status of an agent that has nothing to do and no problem, but for what is given. */
export function statusFixture(given: Partial<StatusSnapshot> = {}): StatusSnapshot {
  return {
    ...idleStatus(Date.parse('2026-01-01T00:00:00.000Z'), Date.parse('2026-01-01T00:00:42.000Z')),
    version: '1.0.0',
    agent_id: 'edge_13105550100',
    pid: 4711,
    state: 'healthy',
    link: 'realtime',
    memory_usage_mb: 71,
    monitor: { port: 3100, connected: 1, authenticated: 1 },
    ...given,
  };
}
