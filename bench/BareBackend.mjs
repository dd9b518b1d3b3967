import { once } from 'node:events';
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

/** What it reads beyond the basic frames. */
const ACCEPTS = ['event', 'status'];
const WELCOME = JSON.stringify({ type: 'connected', data: { accepts: ACCEPTS } });
const PONG = JSON.stringify({ type: 'pong' });
const NO_REPLY = { should_respond: false };
const PATIENCE_MS = 60_000;
/** Above any pause of a bench: a connection that it cuts would cost a post. */
const KEPT_MS = 600_000;

/**
 * The other end of the wire with nothing behind it: Node's HTTP and a WebSocket, which answer at once what docs/protocol.md asks for. It
 * knows one agent, verifies nothing, stores nothing, and keeps in memory what a bench counts.
 */
export class BareBackend {
  /** Each ack, event and status as it came, in `body`; each sync and connection. */
  acks = [];
  events = [];
  statuses = [];
  syncs = [];
  connects = [];
  /** The guids of the messages that came; each is answered in the same turn. */
  messages = new Set();
  /** The live sockets, the oldest first. */
  connections = [];
  /** While it is true, each message is read and its connection cut. */
  cutsPosts = false;
  #waiting = new Map();
  #listeners = new Set();
  #sockets = new WebSocketServer({ noServer: true });
  #http = createServer({ keepAliveTimeout: KEPT_MS }, (request, response) => this.#read(request, response));

  static async start() {
    const backend = new BareBackend();
    await backend.#listen(0);
    return backend;
  }

  constructor() {
    this.#http.on('upgrade', (request, socket, head) =>
      this.#sockets.handleUpgrade(request, socket, head, (connection) => this.#connected(connection)),
    );
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Calls `listener` with all that happens from now on, in the same turn. Returns how to stop that. */
  observe(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves as soon as `condition` holds: looked at now, and whenever something happens. */
  async until(condition, timeoutMs = PATIENCE_MS) {
    if (condition(this)) return;
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        stop();
        reject(new Error(`not within ${timeoutMs} ms; seen so far: ${this.#summary()}`));
      }, timeoutMs);
      const stop = this.observe(() => {
        if (!condition(this)) return;
        stop();
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** By the socket if there is one, unless `via` is `polling`; and in every sync until it is acked. */
  pushCommand(command, { via } = {}) {
    const timestamp = new Date().toISOString();
    const data = { payload: {}, timestamp, ...command };
    this.#waiting.set(data.command_id, data);
    if (via !== 'polling')
      this.connections.at(-1)?.send(JSON.stringify({ type: 'command', data, timestamp }));
  }

  /** Cuts the socket as a network does. */
  dropSocket() {
    for (const connection of this.connections) connection.terminate();
  }

  /** Nothing listens, and every connection is cut. */
  async goDown() {
    const closed = once(this.#http, 'close');
    this.#http.close();
    this.#http.closeAllConnections();
    this.dropSocket();
    await closed;
  }

  async comeBack() {
    await this.#listen(this.port);
  }

  async stop() {
    if (this.#http.listening) await this.goDown();
    this.#sockets.close();
  }

  async #listen(port) {
    this.#http.listen(port, '127.0.0.1');
    await once(this.#http, 'listening');
    this.port = this.#http.address().port;
  }

  #connected(connection) {
    this.connections.push(connection);
    connection.on('error', () => connection.terminate());
    connection.on('close', () => this.connections.splice(this.connections.indexOf(connection), 1));
    connection.on('message', (data) => this.#frame(connection, JSON.parse(data)));
    connection.send(WELCOME);
    this.#note('connected', this.connects, { at: Date.now() });
  }

  #frame(connection, { type, data }) {
    if (type === 'ping') connection.send(PONG);
    else if (type === 'command_ack') this.#acked(data);
    else if (type === 'event') this.#note('event', this.events, data);
    else if (type === 'status') this.#note('status', this.statuses, data);
  }

  #acked(ack) {
    this.#waiting.delete(ack.command_id);
    this.#note('ack', this.acks, ack);
  }

  #read(request, response) {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const { status, answer } = this.#answer(request, Buffer.concat(chunks));
      if (answer === undefined) request.socket.destroy();
      else response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer));
    });
  }

  /** Without an `answer` the connection is cut. */
  #answer({ url, headers }, bytes) {
    switch (url) {
      case '/edge/message': {
        const guid = decodeURIComponent(headers['idempotency-key']);
        if (!this.cutsPosts) this.messages.add(guid);
        this.#tell({ kind: 'message', guid });
        return { status: 200, answer: this.cutsPosts ? undefined : NO_REPLY };
      }
      case '/edge/sync':
        return { status: 200, answer: this.#synced(JSON.parse(bytes)) };
      case '/edge/command/ack':
        this.#acked(JSON.parse(bytes));
        return { status: 200, answer: {} };
      case '/edge/register':
        return { status: 200, answer: { accepts: ACCEPTS } };
      case '/photo/upload':
        return { status: 200, answer: {} };
      default:
        return { status: url.startsWith('/edge/ws') ? 426 : 404, answer: {} };
    }
  }

  #synced(sync) {
    const { pending_events: events = [], command_acks: acks = [] } = sync;
    for (const ack of acks) this.#acked(ack);
    for (const event of events) this.#note('event', this.events, event);
    this.#note('sync', this.syncs, sync);
    return {
      commands: [...this.#waiting.values()],
      ack_events: events.map(({ event_id }) => event_id),
      ack_commands: acks.map(({ command_id }) => command_id),
    };
  }

  #note(kind, list, body) {
    const happening = { kind, body };
    list.push(happening);
    this.#tell(happening);
  }

  #tell(happening) {
    for (const listener of [...this.#listeners]) listener(happening);
  }

  #summary() {
    const { connects, messages, acks, syncs, events, statuses } = this;
    const counts = { connects, acks, syncs, events, statuses, messages: [...messages] };
    return Object.entries(counts)
      .map(([name, { length }]) => `${length} ${name}`)
      .join(', ');
  }
}
