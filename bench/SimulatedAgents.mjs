import { once } from 'node:events';
import { WebSocket } from 'ws';
import { mintToken } from '../dist/gateway/agents/authentication.js';
import { nowMs } from './figures.mjs';

/** How many dial at the same time. */
const DIALLING = 100;
const PING_MS = 30_000;
/** As the agent does: an ack is followed by a ping, so that its receipt is proven soon. */
const PROOF_MS = 500;

/** Many agents in this process, each with a socket of its own, that ack every command at once. */
export class SimulatedAgents {
  /** When each command arrived (ms of `nowMs`), by its id; the first time counts. */
  arrivals = new Map();
  /** Commands that came to another agent than the one they were for, or came twice. */
  strays = 0;
  pongs = 0;
  #sockets = new Map();
  #timers = new Set();

  constructor(url, secret, count) {
    this.url = url;
    this.secret = secret;
    this.ids = Array.from({ length: count }, (_, index) => `edge_1310555${String(index).padStart(4, '0')}`);
  }

  async connect() {
    const waiting = [...this.ids];
    const dial = async () => {
      for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) await this.#dial(id);
    };
    await Promise.all(Array.from({ length: DIALLING }, dial));
  }

  get connected() {
    return [...this.#sockets.values()].filter((socket) => socket.readyState === WebSocket.OPEN).length;
  }

  async close() {
    for (const timer of this.#timers) clearTimeout(timer);
    const sockets = [...this.#sockets.values()];
    const closed = sockets.map((socket) => socket.readyState === WebSocket.CLOSED || once(socket, 'close'));
    for (const socket of sockets) socket.close(1000);
    await Promise.all(closed);
  }

  async #dial(id) {
    const token = mintToken(this.secret, id, id.replace('edge_', '+'), Math.floor(Date.now() / 1000));
    const socket = new WebSocket(`${this.url.replace('http', 'ws')}/edge/ws?edge_agent_id=${id}`, {
      headers: { Authorization: `Bearer ${token}`, 'X-Edge-Agent-Id': id },
      perMessageDeflate: false,
    });
    socket.on('error', (error) => socket.emit('lost', error));
    socket.on('message', (data) => this.#receive(id, socket, JSON.parse(data)));
    await once(socket, 'open');
    this.#sockets.set(id, socket);
    // Spread over the interval, as the starts of real agents are.
    this.#later(Math.random() * PING_MS, () => this.#ping(socket));
  }

  #receive(id, socket, frame) {
    if (frame.type === 'pong') this.pongs += 1;
    if (frame.type !== 'command') return;
    const { command_id } = frame.data;
    if (!command_id.startsWith(`${id}:`) || this.arrivals.has(command_id)) this.strays += 1;
    this.arrivals.set(command_id, nowMs());
    const at = new Date().toISOString();
    const ack = { command_id, status: 'completed', success: true, error: null, revision: 1 };
    socket.send(JSON.stringify({ type: 'command_ack', data: { ...ack, completed_at: at, timestamp: at } }));
    this.#later(PROOF_MS, () => socket.send('{"type":"ping"}'));
  }

  #ping(socket) {
    socket.send('{"type":"ping"}');
    this.#later(PING_MS, () => this.#ping(socket));
  }

  #later(ms, run) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, ms);
    this.#timers.add(timer);
  }
}
