import type { MessageReply } from '../model/backendBodies.js';
import type { Clock } from '../system/clock.js';
import type { MessageOutcome } from './agents/EdgeBackend.js';
import type { MessageBody } from './agents/requests.js';
import { recordReply } from './ledger/agentReports.js';
import { giveAnswer, inboxEntry, SILENCE, takeMessage } from './ledger/inbox.js';
import type { GatewayDatabase, Transaction } from './storage/GatewayDatabase.js';

/** How often a request looks for an answer that another replica may have stored, in ms: more and more seldom. */
const LOOKS_MS = [100, 250, 500, 1_000] as const;

/** Notifies the subscribers of an incoming message, in the transaction that stores it. True: one of them may answer it. */
type OnMessage = (
  transaction: Transaction,
  agentId: string,
  guid: string,
  message: MessageBody,
  now: number,
) => Promise<boolean>;

/** How a message stood when it came: for the first time, again while it waits for its answer, or again behind that. */
export type RequestStanding = 'new' | 'waiting' | 'answered';

interface AnsweringParts {
  database: GatewayDatabase;
  clock: Clock;
  /** How long an agent's request waits for an answer, in ms: it gives up after 60 s. */
  patienceMs: number;
  onMessage: OnMessage;
  /** Called for each request once its message is stored: the listener answers it if it is not answered. */
  onRequest: (agentId: string, guid: string, message: MessageBody, standing: RequestStanding) => void;
}

/**
 * Answers incoming messages, each once: stores it, waits until an application answered it, here or on another replica, and gives
 * that as the reply of the request and of every repeat. Where none answers in time, silence is the answer.
 */
export class MessageAnswering {
  /** The requests that wait for a message, by agent and guid. */
  private readonly waiting = new Map<string, Set<WaitingRequest>>();
  private isDraining = false;

  constructor(private readonly parts: AnsweringParts) {}

  /**
   * The reply to a message; `later` while the gateway drains. It is kept before anything is waited for: who has hung up (`gone`) gets the
   * answer when it asks again. Rejects as the database does.
   */
  async answer(
    agentId: string,
    guid: string,
    message: MessageBody,
    hungUp: AbortSignal,
  ): Promise<MessageOutcome> {
    const standing = await this.take(agentId, guid, message);
    // The replica that accepted a waiting message may have died before anyone was notified.
    this.parts.onRequest(agentId, guid, message, standing);
    const key = `${agentId} ${guid}`;
    const request = new WaitingRequest(this.parts.clock);
    const together = this.waiting.get(key) ?? new Set();
    this.waiting.set(key, together.add(request));
    const wake = () => request.wake();
    hungUp.addEventListener('abort', wake);
    try {
      return await this.awaitAnswer(agentId, guid, request, hungUp);
    } finally {
      hungUp.removeEventListener('abort', wake);
      together.delete(request);
      if (together.size === 0) this.waiting.delete(key);
    }
  }

  /**
   * Answers a message in a transaction of the caller's; the request that waits for it continues once that is durable.
   * `late`: it has an answer, its time is over, or it is unknown.
   */
  async answerWith(
    transaction: Transaction,
    agentId: string,
    guid: string,
    reply: MessageReply,
  ): Promise<'given' | 'late'> {
    const now = this.parts.clock.now();
    const given = await giveAnswer(transaction, agentId, guid, reply, now);
    transaction.afterCommit(() => this.wake(`${agentId} ${guid}`));
    if (given.kind !== 'given') return 'late';
    const { conversation } = given;
    recordReply(transaction, agentId, { guid, conversation, texts: textsOf(reply) }, now);
    return 'given';
  }

  /** Sends the requests that wait to another replica: the agent posts the message again. */
  drain(): void {
    this.isDraining = true;
    for (const key of this.waiting.keys()) this.wake(key);
  }

  private async awaitAnswer(
    agentId: string,
    guid: string,
    request: WaitingRequest,
    hungUp: AbortSignal,
  ): Promise<MessageOutcome> {
    const { clock, patienceMs } = this.parts;
    // Also by the monotonic clock, because the database's clock may be set back.
    const end = clock.monotonic() + patienceMs;
    for (let looks = 0; ; looks += 1) {
      if (hungUp.aborted) return { kind: 'gone' };
      const entry = await inboxEntry(this.parts.database, agentId, guid);
      if (entry?.kind === 'answered') return { kind: 'answered', body: entry.reply };
      if (this.isDraining || entry === undefined) return { kind: 'later', retryAfterSeconds: 1 };
      const look = LOOKS_MS[Math.min(looks, LOOKS_MS.length - 1)] ?? 0;
      const leftMs = Math.min(entry.leftMs, end - clock.monotonic());
      if (leftMs <= 0) await this.answerWithSilence(agentId, guid);
      else await request.wait(Math.min(look, leftMs));
    }
  }

  private async take(agentId: string, guid: string, message: MessageBody): Promise<RequestStanding> {
    const { database, clock, onMessage, patienceMs } = this.parts;
    const known = await inboxEntry(database, agentId, guid);
    if (known !== undefined) return known.kind;
    return database.transaction(async (transaction) => {
      const now = clock.now();
      void transaction.lock(agentId);
      const entry = { conversation: message.thread_id, body: message, patienceMs };
      if (!(await takeMessage(transaction, agentId, guid, entry, now))) return 'waiting';
      const mayBeAnswered = await onMessage(transaction, agentId, guid, message, now);
      if (!mayBeAnswered) await this.answerWith(transaction, agentId, guid, SILENCE);
      return 'new';
    });
  }

  private async answerWithSilence(agentId: string, guid: string): Promise<void> {
    const { database } = this.parts;
    await database.transaction((transaction) => this.answerWith(transaction, agentId, guid, SILENCE));
  }

  private wake(key: string): void {
    for (const request of this.waiting.get(key) ?? []) request.wake();
  }
}

/** What a reply says, bubble by bubble. */
function textsOf(reply: MessageReply): string[] {
  if (!reply.should_respond) return [];
  if ('reply_bubbles' in reply) return reply.reply_bubbles;
  if ('reply_text' in reply) return [reply.reply_text];
  const { reflex_message: reflex, burst_messages: bubbles } = reply;
  return reflex === undefined ? bubbles : [reflex, ...bubbles];
}

/** A request that waits, and may be woken while it looks. */
class WaitingRequest {
  private isWoken = false;
  private end: (() => void) | undefined;

  constructor(private readonly clock: Clock) {}

  wake(): void {
    this.isWoken = true;
    this.end?.();
  }

  /** Resolves after `ms`, or once it was woken since it last waited. */
  async wait(ms: number): Promise<void> {
    if (!this.isWoken) await this.rest(ms);
    this.isWoken = false;
  }

  private rest(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.clock.after(ms, () => this.end?.());
      this.end = () => {
        timer.cancel();
        this.end = undefined;
        resolve();
      };
    });
  }
}
