import type { GatewayEvent } from '../model/gatewayEvents.js';
import { EventStreamParser } from './eventStream.js';
import { ApiFault, type GatewayApi } from './GatewayApi.js';

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 20_000;

/** Whether what is shown is live; `lost`: why not, and when it is tried again (Unix ms; null: now). */
export type LiveState =
  | { readonly name: 'connecting' }
  | { readonly name: 'live' }
  | { readonly name: 'lost'; readonly why: string; readonly retryAt: number | null };

interface LiveListener {
  readonly onState: (state: LiveState) => void;
  readonly onEvent: (event: GatewayEvent) => void;
}

/**
 * The events of the gateway while the page is open: continued where the stream broke off, so none is missed. Ends with `close`. A key
 * that is refused ends it too.
 */
export class LiveEvents {
  private readonly ended = new AbortController();
  private lastId = '';
  private pauseMs = FIRST_PAUSE_MS;
  private wake: () => void = () => undefined;

  constructor(
    private readonly api: GatewayApi,
    private readonly listener: LiveListener,
  ) {
    void this.run();
  }

  /** Tries at once instead of at the next time. */
  retry(): void {
    this.wake();
  }

  close(): void {
    this.ended.abort();
    this.wake();
  }

  private async run(): Promise<void> {
    while (!this.ended.signal.aborted) {
      const why = await this.once();
      if (this.ended.signal.aborted || why === undefined) return;
      await this.pause(why);
    }
  }

  /** Reads until the stream ends; why it did, undefined if there is no use in another one. */
  private async once(): Promise<string | undefined> {
    try {
      const headers: Record<string, string> = { accept: 'text/event-stream' };
      if (this.lastId !== '') headers['last-event-id'] = this.lastId;
      const { body } = await this.api.stream('v1/events', headers, this.ended.signal);
      this.listener.onState({ name: 'live' });
      this.pauseMs = FIRST_PAUSE_MS;
      const parser = new EventStreamParser(({ id, data }) => {
        this.lastId = id;
        // The gateway's own, by the schema of docs/gateway-api.md.
        this.listener.onEvent(JSON.parse(data) as GatewayEvent);
      });
      const reader = body?.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const next = await reader?.read();
        if (next === undefined || next.done) return 'The gateway ended the stream of events.';
        parser.push(next.value);
      }
    } catch (error) {
      if (error instanceof ApiFault && (error.status === 401 || error.status === 403)) {
        this.listener.onState({ name: 'lost', why: error.message, retryAt: null });
        return undefined;
      }
      return error instanceof ApiFault ? error.message : 'The gateway does not respond now.';
    }
  }

  private async pause(why: string): Promise<void> {
    const ms = this.pauseMs * (0.75 + 0.5 * Math.random());
    this.pauseMs = Math.min(this.pauseMs * 2, LONGEST_PAUSE_MS);
    this.listener.onState({ name: 'lost', why, retryAt: Date.now() + ms });
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.wake = () => undefined;
    if (!this.ended.signal.aborted) this.listener.onState({ name: 'connecting' });
  }
}
