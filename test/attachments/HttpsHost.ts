import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { temporaryDirectory } from '../support/temporaryStore.js';

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

function certificate(): { key: string; cert: string } {
  const directory = temporaryDirectory();
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  execFileSync(
    'openssl',
    [
      ...[
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '2',
      ],
      ...[
        '-subj',
        '/CN=files.example',
        '-addext',
        'subjectAltName=DNS:files.example,DNS:localhost',
        '-keyout',
        key,
        '-out',
        cert,
      ],
    ],
    { stdio: 'ignore' },
  );
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
}
