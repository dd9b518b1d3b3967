import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { deliverySchema } from '../../../src/model/gatewayApi.js';
import { outgoingMessageSchema } from '../../../src/model/gatewayMessages.js';
import type { Seeded } from '../Seeded.js';

/** A text that an application asked for. */
export interface SentText {
  readonly agentId: string;
  readonly conversation: string;
  readonly text: string;
  /** Whether it was to be sent some time later. */
  readonly isScheduled: boolean;
  /** Every id that a 202 gave for it; one message has one. Empty: it was never accepted. */
  readonly ids: Set<string>;
}

/** Where an application sends to. */
export interface Lane {
  readonly agentId: string;
  readonly conversation: string;
  /** How `POST /v1/messages` names it. */
  readonly to: { to: string } | { chat: string };
}

const pageSchema = <T extends z.ZodType>(item: T) =>
  z.object({ data: z.array(item), next_cursor: z.string().nullable() });

const PATIENCE_MS = 10_000;
const IMPATIENCE_MS = { least: 5, most: 400 };

/** Uses the gateway's REST API as an application does that may not lose anything: unanswered requests are repeated. */
export class Application {
  readonly texts: SentText[] = [];
  /** Answers that a gateway may not give. */
  readonly offences: string[] = [];
  readonly counts = { requests: 0, 'without an answer': 0, 'asked again after 202': 0 };
  private count = 0;

  constructor(
    private readonly url: string,
    private readonly key: string,
    private readonly random: Seeded,
  ) {}

  /** Sends one text; resolves when it is accepted, or can never be. */
  async send({ agentId, conversation, to }: Lane): Promise<void> {
    const { random } = this;
    this.count += 1;
    const isScheduled = random.chance(0.12);
    const text = `s${this.count}~`;
    const sent: SentText = { agentId, conversation, text, isScheduled, ids: new Set() };
    this.texts.push(sent);
    const later = isScheduled ? { send_at: new Date(Date.now() + random.int(0, 4_000)).toISOString() } : {};
    const body = JSON.stringify({ agent: agentId, ...to, text, ...later });
    const ask = () => this.ask('POST', '/v1/messages', { body, idempotencyKey: `soak-${text}` });
    const first = await ask();
    this.note(sent, first);
    if (!random.chance(0.15)) return;
    this.counts['asked again after 202'] += 1;
    this.note(sent, await ask());
  }

  /** Every message of an agent as the gateway shows it now. */
  messagesOf(agentId: string) {
    return this.all(`/v1/messages?agent=${encodeURIComponent(agentId)}&limit=100`, outgoingMessageSchema);
  }

  /** How many messages of an agent have not come to an end. */
  async waitingOf(agentId: string): Promise<number> {
    const ofStatus = (status: string) =>
      this.all(
        `/v1/messages?agent=${encodeURIComponent(agentId)}&status=${status}&limit=100`,
        outgoingMessageSchema,
      );
    return (await ofStatus('queued')).length + (await ofStatus('accepted')).length;
  }

  /** How many events wait for a webhook, or were set aside. */
  async undelivered(webhookId: string): Promise<number> {
    const ofState = (state: string) =>
      this.all(`/v1/webhooks/${webhookId}/deliveries?state=${state}&limit=100`, deliverySchema);
    return (await ofState('waiting')).length + (await ofState('set_aside')).length;
  }

  /** Makes a webhook of every event. */
  async createWebhook(url: string): Promise<{ id: string; secret: string }> {
    const body = JSON.stringify({ url, events: ['*'] });
    const { json } = await this.ask('POST', '/v1/webhooks', { body });
    return z.object({ id: z.string(), secret: z.string() }).parse(json);
  }

  private async all<T extends z.ZodType>(path: string, item: T): Promise<z.infer<T>[]> {
    const found: z.infer<T>[] = [];
    for (let cursor = ''; ; ) {
      const { json } = await this.ask(
        'GET',
        cursor === '' ? path : `${path}&cursor=${encodeURIComponent(cursor)}`,
      );
      const page = pageSchema(item).parse(json);
      found.push(...page.data);
      if (page.next_cursor === null) return found;
      cursor = page.next_cursor;
    }
  }

  private note(sent: SentText, { status, json }: { status: number; json: unknown }): void {
    const message = outgoingMessageSchema.safeParse(json);
    if (status === 202 && message.success) sent.ids.add(message.data.id);
    else
      this.offences.push(`rest: “${sent.text}” was answered ${status} ${JSON.stringify(json).slice(0, 300)}`);
  }

  /** Asks until there is a final answer: 5xx and 429 are retried, as are unanswered requests. */
  private async ask(
    method: string,
    path: string,
    { body, idempotencyKey }: { body?: string; idempotencyKey?: string } = {},
  ): Promise<{ status: number; json: unknown }> {
    const headers = {
      Authorization: `Bearer ${this.key}`,
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...(idempotencyKey === undefined ? {} : { 'Idempotency-Key': idempotencyKey }),
    };
    for (;;) {
      // Sometimes it hangs up early: whether the gateway has the message, it does not know then.
      const isHasty = idempotencyKey !== undefined && this.random.chance(0.1);
      const ms = isHasty ? this.random.int(IMPATIENCE_MS.least, IMPATIENCE_MS.most) : PATIENCE_MS;
      const answer = await this.once(`${this.url}${path}`, {
        method,
        headers,
        signal: AbortSignal.timeout(ms),
        ...(body === undefined ? {} : { body }),
      });
      if (answer !== undefined && answer.status < 500 && answer.status !== 429) return answer;
      await pause(this.random.int(100, 600));
    }
  }

  private async once(url: string, init: RequestInit): Promise<{ status: number; json: unknown } | undefined> {
    this.counts.requests += 1;
    try {
      const response = await fetch(url, init);
      const text = await response.text();
      if (response.status >= 500 || response.status === 429) this.counts['without an answer'] += 1;
      return { status: response.status, json: jsonOf(text) };
    } catch {
      // No answer, or half of one.
      this.counts['without an answer'] += 1;
      return undefined;
    }
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A page of the load balancer.
    return text;
  }
}
