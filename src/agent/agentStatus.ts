import type { AgentStatus } from '../monitor/monitorFrames.js';
import { EVERY_CONVERSATION } from '../store/pauses.js';
import type { Store } from '../store/Store.js';
import type { Rooms } from './rooms.js';
import type { Figures, Workload } from './Workload.js';

/** What the agent does now, in the three words of the monitor: stopped is also an agent that may send nothing. */
export function agentStatus(sources: {
  rooms: Pick<Rooms, 'backend' | 'chatDb' | 'outgoing'>;
  store: Store;
  workload: Workload;
  stopping: boolean;
}): AgentStatus {
  const { rooms, store, workload, stopping } = sources;
  const agentName = rooms.backend.agentId();
  if (stopping) return { agentName, state: 'stopped', currentTask: 'Stopping' };
  if (store.pauses.get(EVERY_CONVERSATION) !== undefined) {
    return { agentName, state: 'stopped', currentTask: 'Sending is paused' };
  }
  const task = workload.task(figures(rooms, store));
  return task === undefined ? { agentName, state: 'idle' } : { agentName, state: 'working', ...task };
}

function figures({ chatDb, outgoing }: Pick<Rooms, 'chatDb' | 'outgoing'>, store: Store): Figures {
  const read = store.cursor.get()?.rowId;
  const newest = chatDb.highestRowId();
  return {
    rowsBehind: read === undefined || newest === null ? 0 : Math.max(0, newest - read),
    texts: outgoing.ready(),
    uploads: store.uploads.countWaiting(),
    messages: store.incoming.countIn('open'),
  };
}
