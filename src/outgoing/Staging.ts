import type { Logger } from '../logging/Logger.js';
import type { Store } from '../store/Store.js';
import { type SendRecord, sendTrace } from '../store/sendRecord.js';
import type { Clock, Timer } from '../system/clock.js';
import type { Lanes } from './Lanes.js';
import type { FetchedFile, FileFetcher } from './ports.js';
import type { Settlement } from './Settlement.js';

const MOST_REQUESTS = 4;
/** What was fetched and could not be stored is tried again so soon. */
const STORE_RETRY_MS = 2_000;

export interface StagingOptions {
  store: Store;
  lanes: Lanes;
  settlement: Settlement;
  fetcher: FileFetcher;
  clock: Clock;
  log: Logger;
  /** Inside a write: the lane may go on. */
  settled: () => void;
}

type Fetched = Map<number, string>;
type RequestFiles = { kind: 'ready'; files: Fetched } | Exclude<FetchedFile, { kind: 'fetched' }>;

/**
 * Fetches the files of requests that hold their place in a lane meanwhile. All of a request's parts are let out in the
 * write that stores where its last file lies; if one file cannot be had, none of them goes out. What was not done when
 * we stop or die is fetched at the next start.
 */
export class Staging {
  private readonly inFlight = new Map<string, AbortController>();
  private readonly timers = new Set<Timer>();
  private running = false;

  constructor(private readonly options: StagingOptions) {}

  start(): void {
    this.running = true;
    this.look();
  }

  /** Fetches whatever waits to be fetched. Call it after the commit that stored such parts. */
  look(): void {
    if (!this.running || !this.options.store.isOpen) return;
    const requests = new Map<string, SendRecord[]>();
    for (const send of this.options.store.sendParts.staging()) {
      const request = send.partOf ?? send.id;
      requests.set(request, [...(requests.get(request) ?? []), send]);
    }
    for (const [request, parts] of requests) {
      if (this.inFlight.size >= MOST_REQUESTS) return;
      if (!this.inFlight.has(request)) void this.stage(request, parts);
    }
  }

  /** Ends what is being fetched; it stays to be fetched. */
  stop(): void {
    this.running = false;
    for (const controller of this.inFlight.values()) controller.abort();
    for (const timer of this.timers) timer.cancel();
  }

  private async stage(request: string, parts: readonly SendRecord[]): Promise<void> {
    const controller = new AbortController();
    this.inFlight.set(request, controller);
    const result = await this.fetchAll(parts, controller.signal);
    if (result.kind === 'stopped' || !this.running) this.inFlight.delete(request);
    else this.conclude(request, parts, result);
  }

  /** One after the other, as they go out. */
  private async fetchAll(parts: readonly SendRecord[], stop: AbortSignal): Promise<RequestFiles> {
    const files: Fetched = new Map();
    const wanted = parts.filter((part) => part.file !== null);
    for (const [index, part] of wanted.entries()) {
      if (part.source === null || part.file === null || part.staged === 1) continue;
      const fetched = await this.options.fetcher.fetch(part.source, part.file, stop);
      if (fetched.kind === 'failed') {
        const field = part.source.startsWith('file:') ? 'path' : 'url';
        return { ...fetched, message: `payload.attachments.${index}.${field}: ${fetched.message}` };
      }
      if (fetched.kind === 'stopped') return fetched;
      files.set(part.seq, fetched.path);
    }
    return { kind: 'ready', files };
  }

  private conclude(
    request: string,
    parts: readonly SendRecord[],
    result: Exclude<RequestFiles, { kind: 'stopped' }>,
  ): void {
    const { store, clock, lanes, settled } = this.options;
    const stored = store.tryWrite(() => {
      for (const { seq } of parts) {
        const part = store.sends.get(seq);
        if (part?.state !== 'staging') continue;
        if (result.kind === 'ready') this.letOut(part, result.files.get(seq));
        else this.fail(part, result);
      }
      const conversation = parts[0]?.conversation ?? '';
      if (lanes.has(conversation)) lanes.changed(conversation);
      settled();
    });
    if (!stored && store.isOpen && this.running) {
      const timer = clock.after(STORE_RETRY_MS, () => {
        this.timers.delete(timer);
        this.conclude(request, parts, result);
      });
      this.timers.add(timer);
      return;
    }
    this.inFlight.delete(request);
    this.look();
  }

  private letOut(part: SendRecord, path: string | undefined): void {
    const { sendParts } = this.options.store;
    if (path !== undefined) sendParts.setFile(part.seq, path);
    sendParts.setReady(part.seq);
  }

  private fail(part: SendRecord, { errorCode, message }: Extract<FetchedFile, { kind: 'failed' }>): void {
    const { settlement, log } = this.options;
    log.warn('A file to send could not be had; nothing of its request is sent', {
      ...sendTrace(part),
      code: errorCode,
    });
    settlement.settle(part, { kind: 'failed', errorCode, message });
  }
}
