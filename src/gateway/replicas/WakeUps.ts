import { describeError } from '../../errors.js';
import type { Logger } from '../../logging/Logger.js';
import { holdersOf } from '../ledger/connections.js';
import type { GatewayDatabase } from '../storage/GatewayDatabase.js';
import { type Notice, type NoticeBox, type PushedCommand, type TakenSocket, writeNotice } from './notices.js';

/** So many agents are looked up in one statement. */
const LOOKUP_LIMIT = 200;

/** The pending notifications for one replica. */
interface Mailbox {
  /** By agent: the one command that is new for it; undefined: there may be others. */
  readonly wake: Map<string, PushedCommand | undefined>;
  readonly taken: Map<string, number>;
  isSending: boolean;
}

/** The channel on which a replica listens. */
export const channelOf = (replicaId: string): string => `replica_${replicaId}`;

/**
 * Notifies other replicas of changes for their sockets. Everything that arrives during a lookup or a notification goes
 * into the next one, so a burst costs only a few of them. Failures are kept and retried at the next `retry`, each agent
 * once.
 */
export class WakeUps {
  private waiting = new Set<string>();
  private isLookingUp = false;
  private readonly mailboxes = new Map<string, Mailbox>();
  private readonly running = new Set<Promise<void>>();

  constructor(
    private readonly database: GatewayDatabase,
    private readonly replicaId: string,
    private readonly box: NoticeBox,
    private readonly log: Logger,
    /** For the sockets that this replica holds. */
    private readonly wakeHere: (agentIds: readonly string[]) => void,
  ) {}

  /** Wakes whichever replica holds the sockets of these agents. Never throws. */
  wake(agentIds: Iterable<string>): void {
    for (const agentId of agentIds) this.waiting.add(agentId);
    if (!this.isLookingUp) this.own(this.lookUp());
  }

  /** The same for one command, where another replica is known to hold the socket. Never throws. */
  wakeAt(replicaId: string, pushed: PushedCommand): void {
    const [agentId] = pushed;
    const { wake } = this.mailboxOf(replicaId);
    // Several are read from the database in one query.
    wake.set(agentId, wake.has(agentId) ? undefined : pushed);
    this.send(replicaId);
  }

  /** Notifies a replica that it no longer holds the socket of this agent. Never throws. */
  notifyTaken(replicaId: string, [agentId, epoch]: TakenSocket): void {
    const { taken } = this.mailboxOf(replicaId);
    taken.set(agentId, Math.max(epoch, taken.get(agentId) ?? 0));
    this.send(replicaId);
  }

  /** Tries again what failed. */
  retry(): void {
    this.wake([]);
    for (const replicaId of this.mailboxes.keys()) this.send(replicaId);
  }

  /** Resolves when nothing is under way; what failed is left. */
  async settled(): Promise<void> {
    while (this.running.size > 0) await Promise.all(this.running);
  }

  private own(work: Promise<void>): void {
    const owned = work.finally(() => this.running.delete(owned));
    this.running.add(owned);
  }

  private async lookUp(): Promise<void> {
    this.isLookingUp = true;
    try {
      // Other requests of this turn of the event loop belong to the same lookup.
      await new Promise((resolve) => setImmediate(resolve));
      while (this.waiting.size > 0) {
        const agentIds = [...this.waiting].slice(0, LOOKUP_LIMIT);
        for (const agentId of agentIds) this.waiting.delete(agentId);
        if (!(await this.lookUpSome(agentIds))) return;
      }
    } finally {
      this.isLookingUp = false;
    }
  }

  private async lookUpSome(agentIds: readonly string[]): Promise<boolean> {
    try {
      const holders = await holdersOf(this.database, agentIds);
      const here = holders.filter(({ replicaId }) => replicaId === this.replicaId);
      if (here.length > 0) this.wakeHere(here.map(({ agentId }) => agentId));
      for (const { agentId, replicaId } of holders) {
        if (replicaId !== this.replicaId) this.mailboxOf(replicaId).wake.set(agentId, undefined);
      }
      for (const replicaId of new Set(holders.map((holder) => holder.replicaId))) this.send(replicaId);
      return true;
    } catch (error) {
      for (const agentId of agentIds) this.waiting.add(agentId);
      this.log.debug('The sockets of agents could not be looked up', { reason: describeError(error) });
      return false;
    }
  }

  private mailboxOf(replicaId: string): Mailbox {
    const known = this.mailboxes.get(replicaId);
    if (known !== undefined) return known;
    const mailbox: Mailbox = { wake: new Map(), taken: new Map(), isSending: false };
    this.mailboxes.set(replicaId, mailbox);
    return mailbox;
  }

  private send(replicaId: string): void {
    const mailbox = this.mailboxes.get(replicaId);
    if (mailbox !== undefined && !mailbox.isSending) this.own(this.sendAll(replicaId, mailbox));
  }

  private async sendAll(replicaId: string, mailbox: Mailbox): Promise<void> {
    mailbox.isSending = true;
    try {
      for (let notice = takeAll(mailbox); notice !== undefined; notice = takeAll(mailbox)) {
        const { payload, rest } = writeNotice(notice, this.box);
        putBack(mailbox, rest);
        if (!(await this.notify(replicaId, payload))) return putBack(mailbox, notice);
      }
      this.mailboxes.delete(replicaId);
    } finally {
      mailbox.isSending = false;
    }
  }

  private async notify(replicaId: string, payload: string): Promise<boolean> {
    try {
      await this.database.notify(channelOf(replicaId), payload);
      return true;
    } catch (error) {
      this.log.debug('A replica could not be notified', { replica: replicaId, reason: describeError(error) });
      return false;
    }
  }
}

function takeAll(mailbox: Mailbox): Notice | undefined {
  if (mailbox.wake.size === 0 && mailbox.taken.size === 0) return undefined;
  const push = [...mailbox.wake.values()].filter((pushed) => pushed !== undefined);
  const notice = { wake: [...mailbox.wake.keys()], taken: [...mailbox.taken], push };
  mailbox.wake.clear();
  mailbox.taken.clear();
  return notice;
}

function putBack(mailbox: Mailbox, { wake, taken }: Notice): void {
  // What was new then need not be all by now.
  for (const agentId of wake) mailbox.wake.set(agentId, undefined);
  for (const [agentId, epoch] of taken) {
    mailbox.taken.set(agentId, Math.max(epoch, mailbox.taken.get(agentId) ?? 0));
  }
}
