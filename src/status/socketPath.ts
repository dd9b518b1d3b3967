import { createHash } from 'node:crypto';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

/** A unix socket's path has at most 103 bytes on macOS (sun_path of 104 with its NUL); Linux allows 107. */
const LONGEST_PATH = 103;

/** Where the daemon of a state directory answers: in it, or, where that path is too long, in a private folder of the temporary one. */
export function socketPath(stateDirectory: string): string {
  const inside = join(stateDirectory, 'edge-agent.sock');
  if (Buffer.byteLength(inside) <= LONGEST_PATH) return inside;
  const name = createHash('sha256').update(stateDirectory).digest('hex').slice(0, 16);
  return join(tmpdir(), `edge-agent-${userInfo().uid}`, `${name}.sock`);
}
