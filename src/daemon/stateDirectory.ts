import { chmodSync, mkdirSync } from 'node:fs';
import { describeError, EdgeError } from '../errors.js';
import { isForWantOfRoom } from '../store/diskFault.js';

/** Creates the directory, or makes an existing one private to this user. Returns it. Throws EdgeError `state_unwritable`. */
export function makeStateDirectory(directory: string): string {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    chmodSync(directory, 0o700);
    return directory;
  } catch (cause) {
    throw new EdgeError(
      'state_unwritable',
      `The state directory ${directory} cannot be created: ${describeError(cause)}.`,
      'Set state.directory to a place that this user may write to.',
      { cause },
    );
  }
}

/** What an agent could not start for, with its own code where it was for want of room. */
export function startFault(error: unknown, directory: string): unknown {
  if (!isForWantOfRoom(error, directory)) return error;
  return new EdgeError(
    'disk_full',
    `The disk of the state directory ${directory} is full: ${describeError(error)}`,
    'Free space on that disk, in bytes and inodes. The service then starts on its own; until then no messages are read and nothing is sent.',
    { cause: error },
  );
}

/** What ends the agent when its store turns out to be damaged while it runs. */
export function storeDamaged(): EdgeError {
  return new EdgeError(
    'store_damaged',
    'The store turned out to be damaged.',
    'Start the agent again: it sets the damaged store aside and continues with what can still be read.',
  );
}

/** What is said when the state directory is gone while the agent runs. */
export function stateMissing(directory: string): EdgeError {
  return new EdgeError(
    'state_moved',
    `The state directory ${directory} was removed or moved away; no messages are read and nothing is sent.`,
    'Put it back; the agent recovers on its own. To start with an empty one, restart the agent.',
  );
}

/** Ends the agent when another one has taken the lock on chat.db, because the lock was removed. */
export function placeTaken(): EdgeError {
  return new EdgeError(
    'state_shared',
    'The lock on chat.db was removed, and another edge-agent has taken it.',
    'Stop the other one: one agent serves one chat.db. Leave ~/.edge-agent alone while an agent runs.',
  );
}

/** Ends the agent when its directory or store was replaced by another one. */
export function stateReplaced(directory: string): EdgeError {
  return new EdgeError(
    'state_moved',
    `The state directory ${directory} was replaced by another one while the agent was running.`,
    'Start the agent again: it compares what it finds there with chat.db, so that nothing is sent twice.',
  );
}
