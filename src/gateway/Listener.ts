import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { EdgeError } from '../errors.js';
import { onWebSocketUpgrade, UPGRADE_OPTIONS } from '../system/webSocketUpgrades.js';

/** Longer than an agent's pause between two requests, so that we are not the one to close under its next one. */
const KEEP_ALIVE_MS = 75_000;

/** What answers on a port. Neither rejects. */
interface Answering {
  serve(request: IncomingMessage, response: ServerResponse): Promise<void>;
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void>;
}

/** One port of one address for HTTP and WebSocket, which can be closed like a crash and opened again. */
export class Listener {
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private boundPort = 0;

  constructor(
    private readonly host: string,
    answering: Answering,
  ) {
    this.server = createServer(
      { ...UPGRADE_OPTIONS, keepAliveTimeout: KEEP_ALIVE_MS },
      (request, response) => {
        void answering.serve(request, response);
      },
    );
    onWebSocketUpgrade(this.server, (request, socket, head) => {
      void answering.upgrade(request, socket, head);
    });
    this.server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
    this.server.on('clientError', (_error, socket) => {
      // Not HTTP at all. The peer may be gone already.
      if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
      else socket.destroy();
    });
  }

  get port(): number {
    return this.boundPort;
  }

  get listening(): boolean {
    return this.server.listening;
  }

  /** Listens on `port`, or on a free one if it is 0. Rejects with an EdgeError when the port is taken. */
  open(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const onError = (error: Error) => {
        reject(
          new EdgeError(
            'internal',
            `The backend cannot listen on ${this.host}:${port}: ${error.message}`,
            'Stop what uses that port, or choose another one.',
            { cause: error },
          ),
        );
      };
      this.server.once('error', onError);
      this.server.listen(port, this.host, () => {
        this.server.off('error', onError);
        const address = this.server.address();
        if (typeof address === 'object' && address !== null) this.boundPort = address.port;
        resolve();
      });
    });
  }

  /** Stops listening and cuts every connection, without a goodbye. Idempotent. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.server.listening) this.server.close(() => resolve());
      else resolve();
      for (const socket of this.sockets) socket.destroy();
    });
  }
}
