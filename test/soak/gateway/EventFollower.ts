import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';

const eventSchema = z.object({
  id: z.string(),
  type: z.string(),
  agent: z.string().nullable(),
  data: z.looseObject({
    conversation: z.string().nullish(),
    message_id: z.string().nullish(),
    status: z.string().optional(),
    in_reply_to: z.string().nullish(),
  }),
});
export type FollowedEvent = z.infer<typeof eventSchema>;

const RETRY_MS = 200;

/**
 * Reads `GET /v1/events` for as long as it lives: each time the stream breaks it continues after the last event that
 * it has.
 */
export class EventFollower {
  readonly events: FollowedEvent[] = [];
  /** How often the stream was opened. */
  connects = 0;
  private lastId: string | undefined;
  private readonly stopping = new AbortController();
  private readonly running: Promise<void>;

  constructor(
    private readonly url: string,
    private readonly key: string,
    private readonly onEvent: (event: FollowedEvent) => void,
  ) {
    this.running = this.follow();
  }

  async end(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async follow(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      try {
        await this.read();
      } catch {
        // The stream broke, or could not be opened: that is what is soaked.
      }
      await pause(RETRY_MS);
    }
  }

  private async read(): Promise<void> {
    const headers = new Headers({ Authorization: `Bearer ${this.key}` });
    if (this.lastId !== undefined) headers.set('Last-Event-ID', this.lastId);
    const response = await fetch(`${this.url}/v1/events`, { headers, signal: this.stopping.signal });
    if (response.status !== 200 || response.body === null) {
      await response.body?.cancel();
      return;
    }
    this.connects += 1;
    let rest = '';
    for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
      const blocks = (rest + text).split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) this.take(block);
    }
  }

  private take(block: string): void {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
    const [id, data] = [field('id'), field('data')];
    if (id === undefined || data === undefined) return;
    const event = eventSchema.parse(JSON.parse(data));
    this.lastId = id;
    this.events.push(event);
    this.onEvent(event);
  }
}
