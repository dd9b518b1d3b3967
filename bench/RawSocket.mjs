import { once } from 'node:events';
import { WebSocket, WebSocketServer } from 'ws';
import { nowMs } from './figures.mjs';

/** A bare pair of WebSockets on this machine, without anything of ours. */
export class RawSocket {
  static async open() {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
    await once(server, 'listening');
    const client = new WebSocket(`ws://127.0.0.1:${server.address().port}`, { perMessageDeflate: false });
    const [[peer]] = await Promise.all([once(server, 'connection'), once(client, 'open')]);
    return new RawSocket(server, client, peer);
  }

  constructor(server, client, peer) {
    Object.assign(this, { server, client, peer });
  }

  /** Ms from writing a frame on one side to having its text on the other. */
  async oneWay(frame) {
    const arrived = new Promise((resolve) => {
      this.client.once('message', (data) => {
        data.toString();
        resolve(nowMs());
      });
    });
    const began = nowMs();
    this.peer.send(frame);
    return (await arrived) - began;
  }

  async close() {
    this.client.terminate();
    this.server.close();
    await once(this.server, 'close');
  }
}
