import { describeError, EdgeError } from '../../errors.js';
import type { Logger } from '../../logging/Logger.js';
import type { Clock, Timer } from '../../system/clock.js';
import type { Random } from '../../system/random.js';
import {
  type ClaimedSocket,
  claimConnection,
  endReplica,
  forgetDeadReplicas,
  heldBy,
  type LostAgent,
  lostAgents,
  recordOffline,
  releaseConnection,
  renewReplica,
} from '../ledger/connections.js';
import type { GatewayDatabase, StopListening, Transaction } from '../storage/GatewayDatabase.js';
import { type NoticeBox, type PushedCommand, readNotice, type TakenSocket } from './notices.js';
import { channelOf, WakeUps } from './WakeUps.js';

/** How long the lease of a replica lasts, by the database's clock, and how often it is renewed, in ms. */
const LEASE_MS = 15_000;
const RENEWAL_MS = 5_000;

/** So long before the end of the lease this replica gives up its sockets, in ms: closing them takes a moment. */
const MARGIN_MS = 2_000;

/** The interval of the sweep that finds what lost notifications would have reported, in ms. */
const SWEEP_MS = 30_000;
const OFFER_AGAIN_MS = 60_000;

/** An agent that has had no socket for so long, in ms, is offline: a reconnect is no event. */
const OFFLINE_AFTER_MS = 30_000;
/** So many at most in one sweep. */
const OFFLINE_LIMIT = 200;

/** What the gateway does with the sockets of its agents. Nothing here may throw, but for what runs in a transaction. */
export interface ReplicaListener {
  /** In the transaction of a claim, under the lock of the agent. */
  online(transaction: Transaction, agentId: string, claimed: ClaimedSocket): Promise<void>;
  /** In the transaction that notes it, under the lock of the agent. */
  offline(transaction: Transaction, lost: LostAgent): Promise<void>;
  /** Another replica has the socket of this agent, under this epoch: every one here with a lower epoch is to be closed (4409). */
  takenOver(agentId: string, epoch: number): void;
  /** Something waits for these agents, whose sockets are here; for one in `pushed` that is this command. */
  wake(agentIds: readonly string[], pushed?: readonly PushedCommand[]): void;
  /** Notifications may be lost: what waits for any socket here is to be offered again. */
  mayHaveMissed(): void;
  /**
   * The lease could not be renewed: all sockets are to be closed (1012), before other replicas take this one for dead. Never in SQLite, where
   * there is no other one.
   */
  leaseLost(): void;
}

/**
 * `superseded`: another socket of the agent has claimed meanwhile, here or elsewhere; this one is to be closed (4409). `ended`: it was
 * gone before its turn came, and took nothing over. `removed`: so was its agent; it is to be closed (1008).
 */
export type Claim = { kind: 'held'; epoch: number } | { kind: 'superseded' | 'ended' | 'removed' };

interface ReplicaSettings {
  database: GatewayDatabase;
  /** With the key that all replicas have. */
  box: NoticeBox;
  clock: Clock;
  random: Random;
  log: Logger;
  /** Unique among the replicas, and new with each start: `[a-z0-9]`, at most 40. */
  replicaId: string;
  listener: ReplicaListener;
}

/**
 * This replica among the others: its lease, its sockets, and notifications from and to the others. What notifications
 * report immediately, a sweep finds later: they are only needed for speed.
 */
export class Replicas {
  private readonly wakeUps: WakeUps;
  /** The epochs of the sockets that are held here, by agent. */
  private readonly held = new Map<string, number>();
  /** Claims under way, by agent. */
  private readonly claiming = new Map<string, number>();
  /** The epochs under which other replicas took over while a claim was under way. */
  private readonly takenMeanwhile = new Map<string, number>();
  private readonly timers = new Map<string, Timer>();
  private readonly running = new Set<Promise<void>>();
  private stopListening: StopListening = async () => undefined;
  private isLeased = false;
  private isStopping = false;
  /** The database may say that this replica holds a socket that it does not. */
  private isInDoubt = false;
  private stopping: Promise<void> | undefined;

  private constructor(private readonly settings: ReplicaSettings) {
    const { database, replicaId, box, log, listener } = settings;
    this.wakeUps = new WakeUps(database, replicaId, box, log, (agentIds) => listener.wake(agentIds));
  }

  /** Takes a lease and begins to listen. Rejects with EdgeError as the database does. */
  static async start(settings: ReplicaSettings): Promise<Replicas> {
    const replicas = new Replicas(settings);
    try {
      await replicas.begin();
      return replicas;
    } catch (error) {
      await replicas.stop();
      throw error;
    }
  }

  /** Whether sockets may be held: the lease counts. */
  get isReady(): boolean {
    return this.isLeased && !this.isStopping;
  }

  /** Whether the socket of this agent with this epoch is the one that counts, so far as is known here. */
  holds(agentId: string, epoch: number): boolean {
    return this.held.get(agentId) === epoch;
  }

  /**
   * Takes over the socket of an agent from the replica that holds it, durably, and notifies that one; unless the socket
   * has ended while the claim waited for its turn (`isOpen`): its agent may have another one elsewhere by then. Rejects
   * with EdgeError `storage_unavailable` (also while this replica has no lease) or `commit_unknown`; the socket is not
   * held then.
   */
  async claim(agentId: string, isOpen: () => boolean): Promise<Claim> {
    this.mustBeReady();
    this.claiming.set(agentId, (this.claiming.get(agentId) ?? 0) + 1);
    try {
      const claimed = await this.store(agentId, isOpen);
      return typeof claimed === 'string' ? { kind: claimed } : this.settle(agentId, claimed);
    } catch (error) {
      this.isInDoubt = true;
      throw error;
    } finally {
      this.endClaim(agentId);
    }
  }

  /** Gives up a socket that has ended, for this reason. What fails is tried again. Never throws. */
  release(agentId: string, epoch: number, reason: string): void {
    if (!this.holds(agentId, epoch)) return;
    this.held.delete(agentId);
    this.own(this.storeRelease(agentId, epoch, reason));
  }

  /**
   * Notifies the replicas that hold the sockets of these agents, including this one, that something waits for them.
   * Never throws.
   */
  wake(agentIds: Iterable<string>): void {
    if (!this.isStopping) this.wakeUps.wake(agentIds);
  }

  /** The same where it is known which replica that is, and what waits. Never throws. */
  wakeAt(replicaId: string, pushed: PushedCommand): void {
    if (!this.isStopping) this.wakeUps.wakeAt(replicaId, pushed);
  }

  /** Resolves when nothing of this is under way: what was released is stored or will be tried again, who was to be woken is notified. */
  async settled(): Promise<void> {
    while (this.running.size > 0) await Promise.all(this.running);
    await this.wakeUps.settled();
  }

  /** Gives up the lease and what is still held. Idempotent; does not reject. */
  stop(): Promise<void> {
    this.stopping ??= this.end();
    return this.stopping;
  }

  private async begin(): Promise<void> {
    const { database, replicaId, listener } = this.settings;
    const missed = () => {
      listener.mayHaveMissed();
      this.isInDoubt = true;
      this.own(this.settleDoubt());
    };
    this.stopListening = await database.listen(
      channelOf(replicaId),
      (payload) => this.receive(payload),
      missed,
    );
    await this.renew();
    this.every('renewal', RENEWAL_MS, () => this.keepLease());
    this.every('sweep', SWEEP_MS, () => this.sweep());
    this.every('offer', OFFER_AGAIN_MS, async () => listener.mayHaveMissed());
  }

  private async end(): Promise<void> {
    const { database, replicaId, log } = this.settings;
    this.isStopping = true;
    for (const timer of this.timers.values()) timer.cancel();
    this.timers.clear();
    await this.settled();
    try {
      await this.stopListening();
      await database.transaction(
        (transaction) => endReplica(transaction, replicaId, 'the gateway stopped'),
        'lease',
      );
    } catch (error) {
      log.warn(`The lease of this replica could not be given up; it ends by itself: ${describeError(error)}`);
    }
    this.isLeased = false;
    this.held.clear();
  }

  /** With SQLite, which only one process uses, no one takes over its sockets, however late its lease is renewed. */
  private get isAlone(): boolean {
    return this.settings.database.dialect === 'sqlite';
  }

  private mustBeReady(): void {
    if (this.isReady || (this.isAlone && !this.isStopping)) return;
    const why = this.isStopping
      ? 'This gateway is stopping.'
      : 'This gateway has no lease from the database.';
    throw new EdgeError('storage_unavailable', why, 'Connect again in a moment.');
  }

  private async store(agentId: string, isOpen: () => boolean): Promise<ClaimedSocket | 'ended' | 'removed'> {
    const { database, clock, replicaId, listener } = this.settings;
    return database.transaction(async (transaction) => {
      await transaction.lock(agentId);
      if (!isOpen()) return 'ended';
      const claimed = await claimConnection(transaction, agentId, replicaId, clock.now());
      if (claimed === undefined) return 'removed';
      await listener.online(transaction, agentId, claimed);
      return claimed;
    }, 'soon');
  }

  private settle(agentId: string, { epoch, former }: ClaimedSocket): Claim {
    const { replicaId } = this.settings;
    if (former !== undefined && former !== replicaId) this.wakeUps.notifyTaken(former, [agentId, epoch]);
    // The lease may have ended, or another socket claimed, while this claim was under way.
    this.mustBeReady();
    const newest = Math.max(this.held.get(agentId) ?? 0, this.takenMeanwhile.get(agentId) ?? 0);
    if (newest > epoch) return { kind: 'superseded' };
    this.held.set(agentId, epoch);
    return { kind: 'held', epoch };
  }

  private endClaim(agentId: string): void {
    const others = (this.claiming.get(agentId) ?? 1) - 1;
    if (others > 0) {
      this.claiming.set(agentId, others);
      return;
    }
    this.claiming.delete(agentId);
    this.takenMeanwhile.delete(agentId);
  }

  private async storeRelease(agentId: string, epoch: number, reason: string): Promise<void> {
    const { database, log } = this.settings;
    try {
      await database.transaction(
        (transaction) => releaseConnection(transaction, agentId, epoch, reason),
        'soon',
      );
    } catch (error) {
      this.isInDoubt = true;
      log.debug('The end of a socket could not be stored; will retry', {
        agent: agentId,
        reason: describeError(error),
      });
    }
  }

  private receive(payload: string): void {
    const { listener, log, box } = this.settings;
    const notice = readNotice(payload, box);
    if (notice === undefined) {
      log.debug('A notification of an unknown form was taken for a lost one');
      listener.mayHaveMissed();
      return;
    }
    for (const taken of notice.taken) this.loseTo(taken);
    if (notice.wake.length > 0) listener.wake(notice.wake, notice.push);
  }

  private loseTo([agentId, epoch]: TakenSocket): void {
    if (this.claiming.has(agentId)) {
      this.takenMeanwhile.set(agentId, Math.max(epoch, this.takenMeanwhile.get(agentId) ?? 0));
    }
    const mine = this.held.get(agentId);
    if (mine === undefined || mine >= epoch) return;
    this.held.delete(agentId);
    this.settings.listener.takenOver(agentId, epoch);
    // What was given to the old socket between the takeover and this word of it: the new holder has to offer it.
    this.wake([agentId]);
  }

  private async keepLease(): Promise<void> {
    try {
      await this.renew();
      this.wakeUps.retry();
    } catch (error) {
      this.settings.log.warn(`The lease of this replica could not be renewed: ${describeError(error)}`);
      return;
    }
    await this.settleDoubt();
  }

  private async settleDoubt(): Promise<void> {
    if (!this.isInDoubt || !this.isReady) return;
    try {
      await this.reconcile();
    } catch (error) {
      this.settings.log.debug('Sockets could not be compared; will retry', { reason: describeError(error) });
    }
  }

  private async renew(): Promise<void> {
    const { database, clock, replicaId, log, listener } = this.settings;
    const wasLeased = this.isLeased;
    const asked = clock.monotonic();
    await database.transaction(async (transaction) => {
      // Sockets from before a lost lease are closed: they must not count under the new one.
      if (!wasLeased && !this.isAlone)
        await endReplica(transaction, replicaId, 'its gateway lost the database');
      await renewReplica(transaction, replicaId, LEASE_MS, clock.now());
    }, 'lease');
    if (this.isStopping) return;
    const left = asked + LEASE_MS - MARGIN_MS - clock.monotonic();
    // The process did not run for so long, and its timers are behind what it hears.
    if (left <= 0) {
      this.loseLease();
      return;
    }
    this.timers.get('lease')?.cancel();
    this.timers.set(
      'lease',
      clock.after(left, () => this.loseLease()),
    );
    // A lease that ended while this answer was under way is acquired again; so is one that was given up meanwhile.
    const wasKept = this.isLeased;
    this.isLeased = true;
    if (wasKept) return;
    log.debug('This replica has a lease', { replica: replicaId });
    // What was added meanwhile found no socket that counted.
    if (this.isAlone) listener.mayHaveMissed();
  }

  private loseLease(): void {
    const { listener, log } = this.settings;
    if (!this.isLeased) return;
    this.isLeased = false;
    if (this.isAlone) return;
    this.held.clear();
    // A renewal that is under way keeps, in the database, what is given up here.
    this.isInDoubt = true;
    log.error('The database has not been reached for so long that this replica gives up its agents', {
      code: 'storage_unavailable',
    });
    listener.leaseLost();
  }

  private async sweep(): Promise<void> {
    const { log } = this.settings;
    try {
      await this.reconcile();
      await this.reportLost();
    } catch (error) {
      log.debug('A sweep of the sockets failed; will retry', { reason: describeError(error) });
    }
  }

  /** Compares what is held here with what the database says, in both directions. */
  private async reconcile(): Promise<void> {
    const { database, replicaId, listener } = this.settings;
    const before = new Map(this.held);
    this.isInDoubt = false;
    try {
      const stored = await heldBy(database.soon, replicaId);
      for (const [agentId, epoch] of before) {
        if (stored.get(agentId) === epoch || !this.holds(agentId, epoch)) continue;
        this.held.delete(agentId);
        listener.takenOver(agentId, epoch + 1);
        this.wake([agentId]);
      }
      for (const [agentId, epoch] of stored) {
        if (this.holds(agentId, epoch)) continue;
        if (this.claiming.has(agentId)) this.isInDoubt = true;
        else await this.storeRelease(agentId, epoch, 'its socket ended');
      }
    } catch (error) {
      this.isInDoubt = true;
      throw error;
    }
  }

  private async reportLost(): Promise<void> {
    const { database, listener } = this.settings;
    if (!this.isAlone)
      await database.transaction((transaction) => forgetDeadReplicas(transaction, OFFLINE_AFTER_MS));
    for (const lost of await lostAgents(database, OFFLINE_AFTER_MS, OFFLINE_LIMIT)) {
      if (this.isStopping) return;
      await database.transaction(async (transaction) => {
        await transaction.lock(lost.agentId);
        if (await recordOffline(transaction, lost.agentId, lost.epoch))
          await listener.offline(transaction, lost);
      });
    }
  }

  /** Runs `work`, which does not reject, again and again, `ms` after its end; up to a tenth earlier, so that replicas do not meet. */
  private every(name: string, ms: number, work: () => Promise<void>): void {
    if (this.isStopping) return;
    const { clock, random } = this.settings;
    const due = () => this.own(work().then(() => this.every(name, ms, work)));
    this.timers.set(name, clock.after(ms * (1 - random() / 10), due));
  }

  private own(work: Promise<void>): void {
    const owned = work.finally(() => this.running.delete(owned));
    this.running.add(owned);
  }
}
