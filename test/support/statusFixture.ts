import type { StatusSnapshot } from '../../src/model/status.js';
import { VITAL_SIGNS } from '../../src/model/vitalSignNames.js';
import type { VitalSigns } from '../../src/model/vitalSigns.js';
import { idleStatus } from '../../src/operator/statusSnapshot.js';

/** Every vital sign well, but for what is given. */
export function vitalSignsFixture(given: Partial<VitalSigns> = {}): VitalSigns {
  const well = { state: 'ok', evidence: 'it was seen', evidence_at: '2026-01-01T00:00:00.000Z', codes: [] };
  const signs = Object.keys(VITAL_SIGNS).map((name) => [name, well]);
  return { ...(Object.fromEntries(signs) as VitalSigns), ...given };
}

/** The status of an agent that has nothing to do and no problem, but for what is given. */
export function statusFixture(given: Partial<StatusSnapshot> = {}): StatusSnapshot {
  return {
    ...idleStatus({
      startedAt: Date.parse('2026-01-01T00:00:00.000Z'),
      now: Date.parse('2026-01-01T00:00:42.000Z'),
      problems: [],
      store: 'none',
    }),
    version: '1.0.0',
    agent_id: 'edge_13105550100',
    pid: 4711,
    state: 'healthy',
    vital_signs: vitalSignsFixture(),
    link: 'realtime',
    memory_usage_mb: 71,
    monitor: { port: 3100, connected: 1, authenticated: 1 },
    ...given,
  };
}
