import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { reset } from './reset.js';

/** `up` is to the server, `down` to the client. */
export type Way = 'up' | 'down';

interface Pair {
  client: Socket;
  server: Socket;
}

/**
 * What is to happen to the bytes that contain a text. `cut`: both ends are reset and the bytes are lost. `hold`: they and all behind them
 * wait. `instead`: these come, and the connection ends.
 */
interface Trap {
  way: Way;
  text: string;
  how: 'cut' | 'hold' | { readonly instead: Buffer };
  sprung: () => void;
}

/** A TCP proxy before a server, with the faults that lie on the way: cuts, silence, a port that is closed. */
export class TcpProxy {
  /** How many connections there were. */
  accepted = 0;
  private readonly pairs = new Set<Pair>();
  private readonly held = new Map<Socket, (() => void)[]>();
  private readonly silent = new Set<Way>();
  private trap: Trap | undefined;
  private chosenPort = 0;

  private constructor(
    private readonly server: Server,
    private readonly target: () => { host: string; port: number },
  ) {
    server.on('connection', (client) => this.join(client));
  }

  /** `target` is asked at each connection. */
  static async start(target: () => { host: string; port: number }): Promise<TcpProxy> {
    const proxy = new TcpProxy(createServer({ noDelay: true }), target);
    await proxy.open();
    return proxy;
  }

  get port(): number {
    return this.chosenPort;
  }

  get connections(): number {
    return this.pairs.size;
  }

  /** The URL of the target, but by way of here. */
  before(url: string): string {
    const through = new URL(url);
    through.hostname = '127.0.0.1';
    through.port = String(this.port);
    return through.href;
  }

  /** Resets every connection at both ends. */
  cut(): void {
    for (const pair of [...this.pairs]) this.cutPair(pair);
  }

  /** From now on nothing passes this way, on any connection, without closing. */
  silence(...ways: readonly Way[]): void {
    for (const way of ways) this.silent.add(way);
  }

  /** Connections from now on are well; those that are open stay silent. */
  passNewConnections(): void {
    for (const { client, server } of this.pairs) {
      if (this.silent.has('up')) this.hold(server, () => undefined);
      if (this.silent.has('down')) this.hold(client, () => undefined);
    }
    this.silent.clear();
  }

  /** What was held passes, and everything behind it. */
  resume(): void {
    this.silent.clear();
    for (const waiting of this.held.values()) for (const write of waiting) write();
    this.held.clear();
  }

  /** Waits for the next bytes with this text. Resolves when they have come; what happens to them is `how`. */
  next(way: Way, text: string, how: Trap['how']): Promise<void> {
    return new Promise((sprung) => {
      this.trap = { way, text, how, sprung };
    });
  }

  /** Nothing happens to the bytes that `next` waited for, if they have not come yet. */
  forgetNext(): void {
    this.trap = undefined;
  }

  /** Closes the port and cuts what is open; `open` opens the same port again. */
  async close(): Promise<void> {
    this.cut();
    if (!this.server.listening) return;
    this.server.close();
    await once(this.server, 'close');
  }

  async open(): Promise<void> {
    this.server.listen(this.chosenPort, '127.0.0.1');
    await once(this.server, 'listening');
    this.chosenPort = (this.server.address() as AddressInfo).port;
  }

  private join(client: Socket): void {
    const server = connect({ ...this.target(), noDelay: true });
    const pair = { client, server };
    this.accepted += 1;
    this.pairs.add(pair);
    this.pass(pair, 'up', client, server);
    this.pass(pair, 'down', server, client);
  }

  private pass(pair: Pair, way: Way, from: Socket, to: Socket): void {
    from.on('data', (bytes) => {
      const { trap } = this;
      if (trap?.way === way && bytes.includes(trap.text)) {
        this.trap = undefined;
        if (trap.how === 'cut') this.cutPair(pair);
        else if (trap.how === 'hold') this.hold(to, () => to.write(bytes));
        else to.end(trap.how.instead);
        trap.sprung();
        return;
      }
      const waiting = this.held.get(to);
      if (waiting !== undefined || this.silent.has(way)) this.hold(to, () => to.write(bytes));
      else to.write(bytes);
    });
    from.on('end', () => this.held.has(to) || to.end());
    from.on('error', () => to.destroy());
    from.on('close', () => {
      this.pairs.delete(pair);
      this.held.delete(to);
      to.destroy();
    });
  }

  private hold(to: Socket, write: () => void): void {
    this.held.set(to, [...(this.held.get(to) ?? []), write]);
  }

  private cutPair({ client, server }: Pair): void {
    reset(client);
    reset(server);
  }
}
