import type { AgentStatus } from '../../monitor-client/index.js';
import { useOperator } from '../operator.js';
import { Pill, type Tone } from '../pieces/Pill.js';

const WORDS: Readonly<Record<AgentStatus['state'], string>> = {
  idle: 'Idle',
  working: 'Working',
  stopped: 'Stopped',
};
const TONES: Readonly<Record<string, Tone>> = { idle: 'calm', working: 'busy', stopped: 'bad' };
const LINK_TONES: Readonly<Record<string, Tone>> = { realtime: 'good', polling: 'warn', offline: 'bad' };
export const LINK_WORDS: Readonly<Record<string, string>> = {
  realtime: 'Real-time',
  polling: 'Polling',
  offline: 'Offline',
  stopped: 'Agent stopped',
};

/** What the agent does, how far it is with it, and by which way it reaches the backend. */
export function AgentState() {
  const { agentStatus, snapshot, isConnected } = useOperator().monitor;
  if (!isConnected) return <p class="state" />;
  const link = snapshot?.status.link;
  return (
    <p class="state">
      {agentStatus !== null && (
        <Pill tone={TONES[agentStatus.state] ?? 'calm'}>{stateWords(agentStatus)}</Pill>
      )}
      {link !== undefined && <Pill tone={LINK_TONES[link] ?? 'calm'}>{LINK_WORDS[link] ?? link}</Pill>}
      {agentStatus?.state === 'working' && <span class="task soft">{agentStatus.currentTask}</span>}
      {agentStatus?.progress !== undefined && (
        <progress max={100} value={agentStatus.progress} aria-label={agentStatus.currentTask ?? 'Progress'} />
      )}
    </p>
  );
}

/** An agent that may send nothing still runs: then its task says what is stopped. */
function stateWords({ state, currentTask }: AgentStatus): string {
  return state === 'stopped' ? (currentTask ?? WORDS.stopped) : WORDS[state];
}
