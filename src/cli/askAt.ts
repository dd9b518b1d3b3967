import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describeError } from '../errors.js';
import type { OperatorRequest, OperatorResult, OperatorVerb } from '../model/operatorApi.js';
import { askDaemon, type DaemonAnswer } from '../operator/askDaemon.js';
import { socketPath, socketRefuge } from '../operator/socketPath.js';

/**
 * Queries the agent of a state directory. If its socket is missing while an agent holds the lock, the result is
 * `cannotTell`: a running agent must never count as stopped. Throws EdgeError `state_unwritable`, see `socketPath`.
 */
export async function askAt<Verb extends OperatorVerb>(
  stateDirectory: string,
  request: OperatorRequest<Verb>,
  timeoutMs?: number,
): Promise<DaemonAnswer<OperatorResult<Verb>>> {
  const path = socketPath(stateDirectory);
  const answer = await askDaemon(path, request, timeoutMs);
  if (answer.kind !== 'notRunning') return answer;
  // An agent whose state directory is gone answers where it does not need one.
  const refuge = socketRefuge(stateDirectory);
  if (refuge !== undefined && refuge !== path && !existsSync(stateDirectory))
    return askDaemon(refuge, request, timeoutMs);
  const lock = join(stateDirectory, 'agent.lock');
  // Loaded for this case alone: SQLite takes as long as all the rest of `status`.
  const { InstanceLock } = await import('../store/InstanceLock.js');
  try {
    if (!InstanceLock.isHeld(lock)) return answer;
    const message = `${lock} is locked, but no status socket answers. The agent is starting, stopping or recreating its socket, or another command is using its store`;
    return { kind: 'cannotTell', message, wasAsked: false, mayPass: true };
  } catch (error) {
    return { kind: 'cannotTell', message: `${lock}: ${describeError(error)}`, wasAsked: false };
  }
}
