import type { IncomingMessage, Server } from 'node:http';
import { EdgeError } from '../../errors.js';

const HOST = '127.0.0.1';

/** Listens on this machine alone; port 0: a free one. Rejects with an EdgeError when the port is taken. */
export function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) =>
      reject(
        new EdgeError(
          'internal',
          `Cannot listen on ${HOST}:${port}: ${error.message}`,
          'Stop what uses that port, or choose another one.',
          { cause: error },
        ),
      ),
    );
    server.listen(port, HOST, () => resolve());
  });
}

/** The whole body. Rejects when it is longer than `limit` bytes, and when the caller hangs up. */
export async function bodyOf(request: IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size > limit) throw new Error(`the body is longer than ${limit} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

/** The JSON of a text; undefined if it is none, as with a form. */
export function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    // Not everything on the wire is JSON; what is not is noted without its content.
    return undefined;
  }
}
