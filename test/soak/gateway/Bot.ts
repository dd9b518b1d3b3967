import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Webhook } from 'standardwebhooks';
import { z } from 'zod';
import { reset } from '../../support/reset.js';
import type { Seeded } from '../Seeded.js';

const eventSchema = z.object({
  id: z.string(),
  type: z.string(),
  agent: z.string().nullable(),
  data: z.looseObject({
    conversation: z.string().nullish(),
    message: z.looseObject({ message_guid: z.string(), filtered_text: z.string() }).optional(),
  }),
});
export type SeenEvent = z.infer<typeof eventSchema>;

/** One request that came to a webhook. */
export interface Attempt {
  readonly webhook: string;
  readonly event: SeenEvent;
  readonly body: string;
  /** What was answered to the message; empty: nothing. */
  readonly texts: readonly string[];
  /**
   * Ms of `performance.now()`: when it arrived, and when a complete 2xx was written, which may have been lost on the
   * way.
   */
  readonly at: number;
  takenAt: number | undefined;
}

type Way = 'well' | 'refuse' | 'cut' | 'half' | 'lose' | 'slow' | 'late';

/** Longer than an agent waits for an answer in a soak. */
const LATE_MS = { least: 4_500, most: 7_000 };

/**
 * An application behind two webhooks: `bot` answers messages, each attempt with a different text, and `archive` only
 * listens. At the first attempt of an event it may fail in any way.
 */
export class Bot {
  readonly attempts: Attempt[] = [];
  /** What no gateway may send. */
  readonly offences: string[] = [];
  private readonly seen = new Map<string, number>();
  private readonly webhooks = new Map<string, Webhook>();
  private readonly server = createServer((request, response) => {
    void this.serve(request, response);
  });

  private constructor(private readonly random: Seeded) {}

  static async start(random: Seeded): Promise<Bot> {
    const bot = new Bot(random);
    bot.server.listen(0, '127.0.0.1');
    await once(bot.server, 'listening');
    return bot;
  }

  urlOf(webhook: string): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/${webhook}`;
  }

  /** From now on requests to this webhook have to be signed with that secret. */
  trust(webhook: string, secret: string): void {
    this.webhooks.set(webhook, new Webhook(secret));
  }

  async end(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      // The gateway was killed in the middle of it: nothing came.
      return;
    }
    const webhook = (request.url ?? '').slice(1);
    const body = Buffer.concat(chunks).toString('utf8');
    const event = this.verified(webhook, request, body);
    if (event === undefined) {
      response.writeHead(401).end();
      return;
    }
    const key = `${webhook} ${event.id}`;
    const nth = (this.seen.get(key) ?? 0) + 1;
    this.seen.set(key, nth);
    const texts = webhook === 'bot' ? this.answer(event, nth) : [];
    const attempt: Attempt = { webhook, event, body, texts, at: performance.now(), takenAt: undefined };
    this.attempts.push(attempt);
    // The second pause between attempts is 5 minutes.
    await this.finish(attempt, response, nth === 1 ? this.way() : 'well');
  }

  private verified(webhook: string, request: IncomingMessage, body: string): SeenEvent | undefined {
    try {
      const headers = Object.fromEntries(
        Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
      );
      const event = eventSchema.parse(this.webhooks.get(webhook)?.verify(body, headers));
      if (headers['webhook-id'] !== event.id)
        this.offences.push(`webhook: ${event.id} came under another id`);
      return event;
    } catch (error) {
      this.offences.push(`webhook: a request that cannot be taken: ${String(error)}`);
      return undefined;
    }
  }

  /** A reflex, bubbles, both, or neither; each text names the attempt that it answers. */
  private answer({ type, data }: SeenEvent, nth: number): string[] {
    if (type !== 'message.received' || data.message === undefined) return [];
    const [name = ''] = data.message.filtered_text.split(' ');
    if (name.endsWith('!')) return [];
    return Array.from({ length: this.random.int(1, 3) }, (_, index) => `${name}a${nth}b${index}~`);
  }

  private way(): Way {
    return this.random.weighted({ well: 80, slow: 8, refuse: 4, cut: 3, half: 2, lose: 3, late: 2 });
  }

  private async finish(attempt: Attempt, response: ServerResponse, way: Way): Promise<void> {
    if (way === 'slow') await pause(this.random.int(100, 1_500));
    if (way === 'late') await pause(this.random.int(LATE_MS.least, LATE_MS.most));
    const { texts } = attempt;
    const [first, ...others] = texts;
    const isReflex = first !== undefined && this.random.chance(0.4);
    const said = isReflex ? { reflex: first, bubbles: others } : { bubbles: texts };
    const body = JSON.stringify(texts.length === 0 ? {} : said);
    const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
    switch (way) {
      case 'refuse':
        response.writeHead(this.random.pick([500, 502, 429])).end();
        return;
      case 'cut':
        cut(response);
        return;
      case 'half':
        response.writeHead(200, headers);
        response.write(body.slice(0, 1), () => cut(response));
        return;
      case 'lose':
        // It is not known whether the gateway has read it.
        attempt.takenAt = performance.now();
        response.writeHead(200, headers);
        response.write(body, () => cut(response));
        return;
      default:
        attempt.takenAt = performance.now();
        response.writeHead(200, headers).end(body);
    }
  }
}

function cut({ socket }: ServerResponse): void {
  if (socket !== null) reset(socket);
}
