import { once } from 'node:events';
import { WebSocket } from 'ws';
import { mintToken } from '../dist/gateway/agents/authentication.js';
import { nowMs } from './figures.mjs';

/** How many dial at the same time. */
const DIALLING = 100;
const PING_MS = 30_000;
/** As the agent does: an ack is followed by a ping, so that its receipt is proven soon. */
const PROOF_MS = 500;
/** The pauses of an agent before it dials again, each up to twice as long (protocol §3). */
const PAUSES_MS = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000];

/** Many agents in this process, each with its own socket, that ack every command immediately. */
export class SimulatedAgents {
  /** When each command arrived (ms of `nowMs`), by its id; the first time counts. */
  arrivals = new Map();
  /** Commands that came twice, or to another agent than the one that their id names (`<agent>:<number>`). */
  strays = 0;
  pongs = 0;
  /** How long after a command an agent knew that its ack was stored, ms; where proof is asked for at once. */
  proofs = [];
  /** How often the unluckiest of them was refused. */
  mostRefused = 0;
  /** Where they connect, in turn. */
  urls;
  #isOver = false;
  #sockets = new Map();
  /** Of each socket: when the commands came whose acks its open pings prove; undefined for a ping that proves none. */
  #pinged = new WeakMap();
  #timers = new Set();

  /** `isPersistent`: one that loses its socket comes back, as an agent does, and each ack is proven at once. */
  constructor(urls, secret, count, isPersistent = false) {
    this.urls = [urls].flat();
    this.secret = secret;
    this.isPersistent = isPersistent;
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
    this.#isOver = true;
    for (const timer of this.#timers) clearTimeout(timer);
    const sockets = [...this.#sockets.values()];
    const closed = sockets.map((socket) => socket.readyState === WebSocket.CLOSED || once(socket, 'close'));
    for (const socket of sockets) socket.close(1000);
    await Promise.all(closed);
  }

  async #dial(id) {
    const token = mintToken(this.secret, id, id.replace('edge_', '+'), Math.floor(Date.now() / 1000));
    const url = this.urls[this.ids.indexOf(id) % this.urls.length];
    const socket = new WebSocket(`${url.replace('http', 'ws')}/edge/ws?edge_agent_id=${id}`, {
      headers: { Authorization: `Bearer ${token}`, 'X-Edge-Agent-Id': id },
      perMessageDeflate: false,
    });
    socket.on('error', (error) => socket.emit('lost', error));
    socket.on('message', (data) => this.#receive(id, socket, JSON.parse(data)));
    await once(socket, 'open');
    this.#sockets.set(id, socket);
    if (this.isPersistent) socket.on('close', () => this.#comeBack(id, 0));
    // Spread over the interval, as the starts of real agents are.
    this.#later(Math.random() * PING_MS, () => this.#ping(socket));
  }

  #comeBack(id, refusals) {
    if (this.#isOver) return;
    this.mostRefused = Math.max(this.mostRefused, refusals);
    const ms = PAUSES_MS[Math.min(refusals, PAUSES_MS.length - 1)] * (1 + Math.random());
    this.#later(ms, () => this.#dial(id).catch(() => this.#comeBack(id, refusals + 1)));
  }

  #receive(id, socket, frame) {
    if (frame.type === 'pong') this.#prove(socket);
    if (frame.type !== 'command') return;
    const { command_id } = frame.data;
    const [owner, number] = command_id.split(':');
    if ((number !== undefined && owner !== id) || this.arrivals.has(command_id)) this.strays += 1;
    this.arrivals.set(command_id, nowMs());
    const at = new Date().toISOString();
    const ack = { command_id, status: 'completed', success: true, error: null, revision: 1 };
    socket.send(JSON.stringify({ type: 'command_ack', data: { ...ack, completed_at: at, timestamp: at } }));
    if (this.isPersistent) this.#sendPing(socket, this.arrivals.get(command_id));
    else this.#later(PROOF_MS, () => this.#sendPing(socket));
  }

  #prove(socket) {
    this.pongs += 1;
    const at = this.#pinged.get(socket)?.shift();
    if (at !== undefined) this.proofs.push(nowMs() - at);
  }

  #sendPing(socket, at) {
    const open = this.#pinged.get(socket) ?? [];
    this.#pinged.set(socket, open);
    open.push(at);
    socket.send('{"type":"ping"}');
  }

  #ping(socket) {
    this.#sendPing(socket);
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
