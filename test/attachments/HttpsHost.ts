import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { certificate } from '../support/certificate.js';

export interface HttpsHost {
  readonly port: number;
  /** The address of a file on it, under its own name: no literal address is in it. */
  url(path: string): string;
  readonly ca: string;
  /** The paths that were asked for, with their headers. */
  readonly asked: { path: string; headers: IncomingMessage['headers'] }[];
}

/** A real https server with a certificate of its own for files.example, on this machine. It is gone after the test. */
export async function httpsHost(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<HttpsHost> {
  const { key, cert } = certificate();
  const asked: HttpsHost['asked'] = [];
  const server = createServer({ key, cert }, (request, response) => {
    asked.push({ path: request.url ?? '', headers: request.headers });
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { port, url: (path) => `https://files.example:${port}${path}`, ca: cert, asked };
}
