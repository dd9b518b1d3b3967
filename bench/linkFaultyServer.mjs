import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import { nowMs } from './figures.mjs';

/**
 * A backend with one fault. It answers HTTP as a backend does and keeps the instants (ms) at which things happened:
 * `dials`, the upgrade requests; `ends`, when the dialed connections were over; `lives`, the first frame that the agent
 * sends only once it holds the link for live; `frozenAt`, when the first link froze.
 */
export class LinkFaultyServer {
  static async open(fault) {
    const server = new LinkFaultyServer(fault);
    server.http.listen(0, '127.0.0.1');
    await once(server.http, 'listening');
    return server;
  }

  constructor(fault) {
    Object.assign(this, { fault, dials: [], ends: [], lives: [], frozenAt: undefined });
    this.sockets = new Set();
    this.wss = new WebSocketServer({ noServer: true, autoPong: fault.pongs !== false });
    this.http = createServer((request, response) => {
      request.resume();
      response.writeHead(fault.status ?? (request.url === '/edge/sync' ? 200 : 404), {
        'Content-Type': 'application/json',
      });
      response.end('{"commands":[]}');
    });
    this.http.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => this.sockets.delete(socket));
    });
    this.http.on('upgrade', (request, socket, head) => this.upgrade(request, socket, head));
  }

  get url() {
    return `http://127.0.0.1:${this.http.address().port}`;
  }

  async close() {
    for (const socket of this.sockets) socket.destroy();
    this.wss.close();
    this.http.close();
    await once(this.http, 'close');
  }

  upgrade(request, socket, head) {
    const { fault } = this;
    const number = this.dials.push(nowMs()) - 1;
    socket.on('close', () => {
      this.ends[number] = nowMs();
    });
    if (fault.hang) {
      socket.on('end', () => socket.destroy());
      socket.resume();
    } else if (fault.status !== undefined) {
      socket.end(`HTTP/1.1 ${fault.status} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    } else {
      this.wss.handleUpgrade(request, socket, head, (ws) => this.opened(ws, number));
    }
  }

  opened(ws, number) {
    const { fault } = this;
    ws.on('error', () => ws.terminate());
    ws.on('message', (data) => {
      const { type } = JSON.parse(data);
      if (type === 'ping' && fault.pongs !== false) ws.send('{"type":"pong"}');
      // The first one: the agent sends more of them, and a last one when it stops.
      if (type === 'status') this.lives[number] ??= nowMs();
    });
    if (fault.close) setTimeout(() => ws.close(fault.close), 20);
    if (fault.freezeAfterMs === undefined || number > 0) return;
    let pings = 0;
    ws.on('ping', () => {
      pings += 1;
      if (pings === 2) this.freeze(ws, fault.freezeAfterMs);
    });
  }

  /** From then on nothing is read or answered any more; the kernel keeps the connection open. */
  async freeze(ws, afterMs) {
    if (afterMs > 0) await pause(afterMs);
    ws.pause();
    this.frozenAt = nowMs();
  }
}
