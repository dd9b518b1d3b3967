import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Cleanup } from './EdgeWorld.js';

interface ProxyOptions {
  /** The port on this machine that every host is, by `host:port`; what is not listed is refused by 502. */
  hosts: Readonly<Record<string, number>>;
  /** `user:password`; without it, or with another, the proxy answers 407. */
  credentials?: string;
  /** Takes the connection and never answers. */
  isMute?: boolean;
  /** The status that it gives to everything. */
  status?: number;
}

/** A real proxy on this machine that opens tunnels, and notes which. */
export interface ConnectProxy {
  readonly url: string;
  /** What was asked for, in order: `files.example:443`. */
  readonly asked: string[];
  /** The headers of each. */
  readonly headers: IncomingMessage['headers'][];
  /** Everything that passed towards the hosts, as it was on the wire. */
  readonly passed: () => string;
  /** Connections that are open to it. */
  readonly open: () => number;
}

export async function connectProxy(
  options: ProxyOptions,
  { onTestFinished }: Cleanup,
): Promise<ConnectProxy> {
  const asked: string[] = [];
  const headers: IncomingMessage['headers'][] = [];
  const passed: Buffer[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.writeHead(501).end();
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('connect', (request, socket: Socket) => {
    asked.push(request.url ?? '');
    headers.push(request.headers);
    socket.on('end', () => socket.destroy());
    // Read, so that its end is seen.
    if (options.isMute === true) return void socket.resume();
    const answer = (status: number) => socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n\r\n`);
    if (options.status !== undefined) return answer(options.status);
    if (options.credentials !== undefined) {
      const wanted = `Basic ${Buffer.from(options.credentials).toString('base64')}`;
      if (request.headers['proxy-authorization'] !== wanted) return answer(407);
    }
    const port = options.hosts[request.url ?? ''];
    if (port === undefined) return answer(502);
    const target = connect(port, '127.0.0.1', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
    target.on('error', () => socket.destroy());
    target.on('close', () => socket.destroy());
    socket.on('close', () => target.destroy());
    socket.on('data', (bytes: Buffer) => {
      passed.push(bytes);
      target.write(bytes);
    });
    target.on('data', (bytes: Buffer) => socket.write(bytes));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    headers,
    passed: () => Buffer.concat(passed).toString('latin1'),
    open: () => sockets.size,
  };
}

/** A real server with TLS on this machine, which hands on what comes out of it to another port; its own port. */
export async function tlsFront(
  { key, cert }: { key: string; cert: string },
  port: number,
  { onTestFinished }: Cleanup,
): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createTlsServer({ key, cert }, (socket) => {
    const target = connect(port, '127.0.0.1');
    target.on('error', () => socket.destroy());
    socket.on('error', () => target.destroy());
    socket.on('close', () => target.destroy());
    target.on('close', () => socket.destroy());
    socket.pipe(target);
    target.pipe(socket);
  });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}
