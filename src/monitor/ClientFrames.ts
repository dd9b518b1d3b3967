import { describeError, EdgeError } from '../errors.js';
import type { ClientFrame } from '../model/clientFrames.js';
import type { ServerFrame } from '../model/monitorFrames.js';
import type { StatusSnapshot } from '../model/status.js';
import type { Clock } from '../system/clock.js';
import type { Broadcast } from './Broadcast.js';
import { CLOSE, type Client } from './Client.js';
import { type Clients, isKnown, type KnownClient } from './Clients.js';
import { encodeFrame, readClientFrame } from './monitorFrames.js';
import { RateLimit } from './rateLimit.js';
import { WorkBudget } from './WorkBudget.js';

/** What a request may ask for; `userId` is who asks. What it throws is answered as an error. */
export type MonitorHandler = (input: Record<string, unknown>, userId: string) => unknown;

/** Requests of all clients together: the agent answers each between two pieces of its own work. */
const REQUEST_RATE = { burst: 200, perSecond: 100 };
/**
 * A user over the limit, which the page alone may reach on a busy Mac, may still stop sending and ask for a look of the doctor, who looks
 * every 10 s at most: these requests cost little, and a press of a button must not be lost.
 */
const URGENT: ReadonlySet<string> = new Set(['pause', 'resume', 'schedule.cancel', 'doctor.run']);

const BINARY = { kind: 'refused', error: 'Invalid message format: binary' } as const;

type Asked = Extract<ClientFrame, { type: 'request' }>['data'];

interface ClientFramesOptions {
  clients: Clients;
  broadcast: Broadcast;
  verbs: Readonly<Record<string, MonitorHandler>>;
  /** The status for a client that has just subscribed. */
  status: () => StatusSnapshot;
  clock: Clock;
  /** A client was cut off for what it did. */
  onAbuse: (why: string) => void;
}

/** Answers what clients say. Whatever they send, it does not throw; what takes long is refused before it takes too much. */
export class ClientFrames {
  private readonly requests = new RateLimit(REQUEST_RATE);
  private readonly work = new WorkBudget();

  constructor(private readonly options: ClientFramesOptions) {}

  receive(client: Client, data: Buffer, isBinary: boolean): void {
    if (!this.counted(client)) return;
    const read = isBinary ? BINARY : readClientFrame(data.toString('utf8'));
    if (read.kind === 'refused') this.complain(client, read.error);
    else this.answer(client, read.frame);
  }

  /** Counts a frame against its sender's rate; false if that was one too many, or the connection is at its end anyway. */
  counted(client: Client): boolean {
    if (!client.isOpen) return false;
    if (client.countFrame()) return true;
    client.close(CLOSE.tooFast, 'Too many messages', true);
    this.options.onAbuse('too many messages');
    return false;
  }

  private answer(client: Client, frame: ClientFrame): void {
    if (frame.type === 'ping') this.send(client, { type: 'pong' });
    else if (frame.type !== 'pong') {
      if (isKnown(client)) this.serve(client, frame);
      else this.complain(client, 'Not authenticated');
    }
  }

  private serve(client: KnownClient, frame: Exclude<ClientFrame, { type: 'ping' | 'pong' }>): void {
    switch (frame.type) {
      case 'user_presence':
        client.presence = frame.data;
        this.broadcastPresence(client.session.userId);
        return;
      case 'subscribe':
        client.topics = new Set(frame.data.topics);
        if (client.topics.size > 0) this.sendSnapshot(client);
        return;
      case 'request':
        this.respond(client, frame.data);
    }
  }

  /** Reports the current presence of a user to all clients. */
  broadcastPresence(userId: string): void {
    const { clients, broadcast } = this.options;
    broadcast.post({ type: 'user_presence', data: { userId, status: clients.presenceOf(userId) } });
  }

  private sendSnapshot(client: KnownClient): void {
    const { clients, status } = this.options;
    try {
      this.send(client, { type: 'snapshot', data: { status: status(), presence: clients.presences() } });
    } catch (error) {
      this.complain(client, describeError(error));
    }
  }

  private respond(client: KnownClient, { id, verb, args }: Asked): void {
    const { userId } = client.session;
    const { clock } = this.options;
    const began = clock.monotonic();
    try {
      const result = this.run(verb, args, userId);
      this.send(client, { type: 'response', data: { id, ok: true, result } });
    } catch (error) {
      const { code, remedy } = error instanceof EdgeError ? error : { code: 'internal', remedy: '' };
      const message = describeError(error);
      this.send(client, { type: 'response', data: { id, ok: false, error: { code, message, remedy } } });
    }
    const ended = clock.monotonic();
    this.work.spend(userId, ended - began, ended);
  }

  private run(verb: string, input: Record<string, unknown>, userId: string): unknown {
    const { verbs, clock } = this.options;
    const work = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
    if (work === undefined) {
      const known = Object.keys(verbs).join(', ');
      throw new EdgeError('invalid_payload', `verb: expected one of ${known}.`, 'Name one of them.');
    }
    const now = clock.monotonic();
    const hasRoom = URGENT.has(verb) || this.work.hasRoom(userId, now);
    if (!this.requests.take(now) || !hasRoom) {
      throw new EdgeError('monitor_busy', 'Too many requests at once.', 'Try again in a moment.');
    }
    return work(input, userId) ?? null;
  }

  private complain(client: Client, error: string): void {
    this.send(client, { type: 'error', data: { error } });
  }

  private send(client: Client, frame: ServerFrame): void {
    if (!client.write([encodeFrame(frame, this.options.clock.now())]))
      this.options.onAbuse('it does not read');
  }
}
