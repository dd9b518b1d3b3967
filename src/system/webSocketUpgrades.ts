import type { IncomingMessage, Server, ServerOptions } from 'node:http';
import type { Duplex } from 'node:stream';

/** Headers that ask for another protocol on this connection (RFC 9110, 7.8; RFC 7540, 3.2). */
const ASKING = new Set(['upgrade', 'connection', 'http2-settings']);

/** For `createServer`. Used by Node 24.9 and later; ignored by older versions. */
export const UPGRADE_OPTIONS: ServerOptions & { shouldUpgradeCallback(request: IncomingMessage): boolean } = {
  shouldUpgradeCallback: asksForWebSocket,
};

/**
 * Gives every request for a WebSocket to `upgrade`. Any other upgrade may be passed over (RFC 9110, 7.8): its request is served
 * like one that never asked, as curl --http2 and Java's HttpClient, which ask each plain server for h2c, expect.
 */
export function onWebSocketUpgrade(
  server: Server,
  upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void,
): void {
  server.on('upgrade', (request, socket, head) => {
    if (asksForWebSocket(request)) upgrade(request, socket, head);
    else serveAgain(server, request, socket, head);
  });
}

function asksForWebSocket({ headers }: IncomingMessage): boolean {
  return /\bwebsocket\b/i.test(headers.upgrade ?? '');
}

/** Node has let go of the connection by now and read no body: it is given the same bytes once more, but for the wish. */
function serveAgain(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const { method, url, httpVersion, rawHeaders } = request;
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const [name = '', value = ''] = rawHeaders.slice(index, index + 2);
    if (!ASKING.has(name.toLowerCase())) lines.push(`${name}: ${value}`);
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
  server.emit('connection', socket);
}
