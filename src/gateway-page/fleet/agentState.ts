import type { AgentResource } from '../../model/gatewayApi.js';
import type { Tone } from '../../monitor-page/pieces/Pill.js';

/** How an agent is, in one word and its colour. */
export function agentState({
  online,
  registered_at,
  problems,
}: Pick<AgentResource, 'online' | 'registered_at' | 'problems'>): { words: string; tone: Tone } {
  if (registered_at === null) return { words: 'Expected', tone: 'calm' };
  if (!online) return { words: 'Offline', tone: 'bad' };
  return problems.length > 0 ? { words: 'Degraded', tone: 'warn' } : { words: 'Online', tone: 'good' };
}

/** Those that need attention first. */
export function byUrgency(one: AgentResource, other: AgentResource): number {
  const rank = (agent: AgentResource) => ['bad', 'warn', 'good', 'calm'].indexOf(agentState(agent).tone);
  return rank(one) - rank(other) || (one.id < other.id ? -1 : 1);
}
