import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { EdgeError } from '../errors.js';

/** A unix socket's path has at most 103 bytes on macOS (sun_path of 104 with its NUL); Linux allows 107. */
const LONGEST_PATH = 103;

/**
 * Where the daemon of a state directory answers: in it, or, where that path is too long, in a private folder of the
 * user's home, which is the same for every process of that user. Throws EdgeError `state_unwritable` if both are too long.
 */
export function socketPath(stateDirectory: string, home = homedir()): string {
  const usual = join(stateDirectory, 'edge-agent.sock');
  const path = isShort(usual) ? usual : socketRefuge(stateDirectory, home);
  if (path !== undefined) return path;
  throw new EdgeError(
    'state_unwritable',
    `The path of the state directory ${stateDirectory} is too long for the status socket, and so is the home directory's.`,
    `Set state.directory to a path of at most ${LONGEST_PATH - '/edge-agent.sock'.length} bytes.`,
  );
}

/** Where the daemon answers while its state directory is gone; undefined if that path is too long. */
export function socketRefuge(stateDirectory: string, home = homedir()): string | undefined {
  const path = refugePath(stateDirectory, home);
  return isShort(path) ? path : undefined;
}

function refugePath(stateDirectory: string, home: string): string {
  const name = createHash('sha256').update(stateDirectory).digest('hex').slice(0, 16);
  return join(home, '.edge-agent', `${name}.sock`);
}

function isShort(path: string): boolean {
  return Buffer.byteLength(path) <= LONGEST_PATH;
}
