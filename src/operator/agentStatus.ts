import type { Backend } from '../backend/Backend.js';
import type { ChatDb } from '../messages/chatdb/ChatDb.js';
import type { AgentStatus } from '../model/monitorFrames.js';
import type { Outgoing } from '../outgoing/Outgoing.js';
import { EVERY_CONVERSATION } from '../store/conversations.js';
import type { Store } from '../store/Store.js';
import type { Figures, Progress } from './Progress.js';

interface Watched {
  backend: Backend;
  chatDb: ChatDb;
  outgoing: Outgoing;
}

/** What the agent does now, in the three words of the monitor: stopped is also an agent that may send nothing. */
export function agentStatus(sources: {
  components: Watched;
  store: Store;
  workload: Progress;
  stopping: boolean;
}): AgentStatus {
  const { components, store, workload, stopping } = sources;
  const agentName = components.backend.agentId();
  if (stopping) return { agentName, state: 'stopped', currentTask: 'Stopping' };
  if (store.pauses.get(EVERY_CONVERSATION) !== undefined) {
    return { agentName, state: 'stopped', currentTask: 'Sending is paused' };
  }
  const task = workload.task(figures(components, store));
  return task === undefined ? { agentName, state: 'idle' } : { agentName, state: 'working', ...task };
}

function figures({ chatDb, outgoing }: Watched, store: Store): Figures {
  const read = store.cursor.get()?.rowId;
  const newest = chatDb.highestRowId();
  return {
    rowsBehind: read === undefined || newest === null ? 0 : Math.max(0, newest - read),
    texts: outgoing.ready(),
    uploads: store.uploads.countWaiting(),
    messages: store.incoming.countOpen(),
  };
}
