import type { StatusSnapshot } from '../../src/model/status.js';
import { askDaemon } from '../../src/operator/askDaemon.js';
import { socketPath } from '../../src/operator/socketPath.js';
import { until } from './until.js';

/** Gets the status of the daemon of a state directory, without a process in between; undefined if there is no answer. */
export async function statusOf(stateDirectory: string): Promise<StatusSnapshot | undefined> {
  const answer = await askDaemon(socketPath(stateDirectory), { verb: 'status' });
  return answer.kind === 'answered' ? (answer.result as StatusSnapshot) : undefined;
}

/** What the daemon still has to do or to report, by its status; empty when all is done. */
export function openWork(snapshot: StatusSnapshot): Partial<Record<keyof StatusSnapshot, number>> {
  const { scheduled_messages, commands_waiting, acks_undelivered, events_undelivered } = snapshot;
  const { incoming_queued, incoming_parked, sends_queued, uploads_queued } = snapshot;
  const counts = {
    ...{ scheduled_messages, commands_waiting, acks_undelivered, events_undelivered },
    ...{ incoming_queued, incoming_parked, sends_queued, uploads_queued },
  };
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}

/** Resolves once the daemon has nothing left to do or to report. */
export async function untilIdle(stateDirectory: string, timeoutMs?: number): Promise<void> {
  let left: unknown = 'nobody answers';
  const isIdle = async () => {
    const snapshot = await statusOf(stateDirectory);
    left = snapshot === undefined ? 'nobody answers' : openWork(snapshot);
    return snapshot !== undefined && Object.keys(openWork(snapshot)).length === 0;
  };
  await until(isIdle, () => `the daemon to have nothing left; it has ${JSON.stringify(left)}`, timeoutMs);
}
