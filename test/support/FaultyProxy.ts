import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { ProxiedConnection, type Treatment } from './ProxiedConnection.js';

const PAGE = '<html><body><h1>502 Bad Gateway</h1></body></html>';
/** No reserved bit, no opcode and no length of it is allowed. */
const GARBAGE = Buffer.alloc(64, 0xff);

/**
 * A TCP proxy before a backend, with the faults that lie on the way and not at its ends. Verbs about frames and sockets
 * concern the WebSockets that are open now and return how many they hit; verbs that take a switch last until it is off.
 */
export class FaultyProxy {
  /** How many connections there were, of any kind. */
  accepted = 0;
  /** How many upgrades were asked for, whatever became of them. */
  upgrades = 0;
  /** The most WebSockets that were ever open at once. */
  mostWebSockets = 0;
  private readonly treatment: Treatment = { upgradePage: null, bytesPerSecond: null, frames: 'asTheyAre' };
  private readonly connections = new Set<ProxiedConnection>();
  private readonly server: Server;
  private silent = false;
  private chosenPort = 0;

  private constructor(private readonly target: () => number) {
    this.server = createServer({ allowHalfOpen: true }, (client) => this.accept(client));
  }

  /** `target`: the port of the backend on this machine, asked at each connection. */
  static async start(target: () => number): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(target);
    await proxy.open();
    return proxy;
  }

  get port(): number {
    const address = this.server.address() as AddressInfo | null;
    return address?.port ?? this.chosenPort;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Connections of clients that are open, of any kind. */
  get openConnections(): number {
    return this.connections.size;
  }

  get webSockets(): number {
    return [...this.connections].filter((connection) => connection.upgraded).length;
  }

  /** Cuts them without a close frame. */
  drop(): number {
    return this.each((connection) => connection.destroy());
  }

  /** Nothing passes any more in either direction, without closing. */
  freeze(): number {
    return this.each((connection) => connection.freeze());
  }

  /** Whatever was frozen goes on. */
  thaw(): void {
    this.silent = false;
    for (const connection of this.connections) connection.thaw();
  }

  /** All that is open, HTTP included, and all that opens from now on is frozen; `thaw` ends it. */
  fallSilent(): void {
    this.silent = true;
    for (const connection of this.connections) connection.freeze();
  }

  /** The client gets the end of the stream; its data is still accepted. */
  halfClose(): number {
    return this.each((connection) => connection.halfClose());
  }

  /** Bytes that are no frame. */
  injectGarbage(): number {
    return this.each((connection) => connection.inject(GARBAGE));
  }

  /** The next frame to the client arrives only by half, and the connection is gone. */
  cutInsideNextFrame(): number {
    return this.each((connection) => connection.cutInsideNextFrame());
  }

  /** The next bytes to the client arrive twice: a frame's own bytes, so that what follows is no frame any more. */
  doubleNextBytes(): number {
    return this.each((connection) => connection.doubleNextBytes());
  }

  /** Frames to the client: each twice, or in reverse where several come soon after one another. */
  mistreatFrames(frames: Treatment['frames']): void {
    this.treatment.frames = frames;
  }

  /** In both directions, for all connections; null: as fast as it comes. */
  slowDown(bytesPerSecond: number | null): void {
    this.treatment.bytesPerSecond = bytesPerSecond;
  }

  /** Upgrades are answered with the page of a proxy whose backend is gone. */
  answerUpgradesWithPage(on: boolean): void {
    this.treatment.upgradePage = on ? PAGE : null;
  }

  /** The port is closed, and everything that was open is cut; `open` opens the same one again. */
  async close(): Promise<void> {
    if (!this.server.listening) return;
    this.chosenPort = this.port;
    for (const connection of [...this.connections]) connection.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  async open(): Promise<void> {
    if (this.server.listening) return;
    this.server.listen(this.chosenPort, '127.0.0.1');
    await once(this.server, 'listening');
    this.chosenPort = this.port;
  }

  private accept(client: Socket): void {
    const connection: ProxiedConnection = new ProxiedConnection(client, this.target(), this.treatment, {
      upgrading: () => {
        this.upgrades += 1;
      },
      upgraded: () => {
        this.mostWebSockets = Math.max(this.mostWebSockets, this.webSockets);
      },
      ended: () => this.connections.delete(connection),
    });
    this.accepted += 1;
    this.connections.add(connection);
    if (this.silent) connection.freeze();
  }

  private each(run: (connection: ProxiedConnection) => void): number {
    const open = [...this.connections].filter((connection) => connection.upgraded);
    for (const connection of open) run(connection);
    return open.length;
  }
}
