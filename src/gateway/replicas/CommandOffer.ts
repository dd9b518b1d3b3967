import type { AgentConnection } from '../agents/AgentConnection.js';
import type { WireCommand } from '../agents/frames.js';
import type { Interposer } from '../agents/Interposer.js';
import { commandsAhead } from '../ledger/commands.js';
import type { GatewayDatabase } from '../storage/GatewayDatabase.js';

/** How many commands are read at once: one may have a file of 8 MiB in it. */
const PAGE = 20;

/** While so many bytes wait to leave, no further command is read: an agent that reads slowly must not fill our memory. */
const BACKLOG_AT_MOST = 1024 * 1024;

interface OfferParts {
  readonly database: GatewayDatabase;
  readonly connection: AgentConnection;
  readonly interposer: Pick<Interposer, 'commandFrames'>;
  /** Called for a command that is on its way, each time. */
  setOut(agentId: string, commandId: string): void;
  /** Sets aside the command at this position, which cannot be read. Never rejects. */
  setAside(position: number): Promise<void>;
}

/** What was offered over one socket: every unacked command once, in the order of their positions. */
export class CommandOffer {
  /** Every command up to this position was offered here, or acked. */
  private offered = 0;
  private reading: Promise<void> | undefined;
  private isReadAgain = false;

  constructor(private readonly parts: OfferParts) {}

  hasOffered(position: number): boolean {
    return position <= this.offered;
  }

  /** Sends a command that was stored just now, if it is the next one. False: there are others before it; `catchUp` has them all. */
  offerNext(position: number, command: WireCommand): boolean {
    if (this.hasOffered(position)) return true;
    if (this.reading !== undefined || position !== this.offered + 1 || this.isBehind) return false;
    this.offered = position;
    void this.send(command);
    return true;
  }

  /** Sends everything that was not offered yet. Resolves when it is written or the socket is gone; rejects as the database does. */
  catchUp(): Promise<void> {
    this.isReadAgain = true;
    this.reading ??= this.read();
    return this.reading;
  }

  private async read(): Promise<void> {
    const { database, connection, setAside } = this.parts;
    try {
      do {
        this.isReadAgain = false;
        const { last, page } = await commandsAhead(database.soon, connection.agentId, this.offered, PAGE);
        let written: Promise<void> | undefined;
        for (const { position, command } of page) {
          written = command === undefined ? setAside(position) : this.send(command);
          this.offered = position;
          if (this.isBehind) await written;
        }
        if (page.length < PAGE) this.offered = Math.max(this.offered, last);
        else this.isReadAgain = true;
        await written;
      } while (this.isReadAgain && connection.open);
    } finally {
      this.reading = undefined;
    }
  }

  private get isBehind(): boolean {
    return this.parts.connection.backlog > BACKLOG_AT_MOST;
  }

  private async send(command: WireCommand): Promise<void> {
    const { connection, interposer, setOut } = this.parts;
    const frames = interposer.commandFrames(connection, command);
    if (frames.length > 0) setOut(connection.agentId, command.command_id);
    await Promise.all(frames.map((frame) => connection.write(frame)));
  }
}
