import type { Logger } from '../logging/Logger.js';
import type { SendRecord } from '../model/sending.js';
import type { Store } from '../store/Store.js';
import { sendTrace } from '../store/sendRecord.js';
import type { Clock, Timer } from '../system/clock.js';
import { type MachineFault, machinePause } from '../system/failures.js';
import type { ConversationQueues } from './ConversationQueues.js';
import type { OutcomeRecorder } from './OutcomeRecorder.js';
import type { FetchedFile, FileFetcher } from './ports.js';

const MOST_REQUESTS = 4;
/** What was fetched and could not be stored is tried again so soon. */
const STORE_RETRY_MS = 2_000;

interface StagingOptions {
  store: Store;
  lanes: ConversationQueues;
  settlement: OutcomeRecorder;
  fetcher: FileFetcher;
  clock: Clock;
  log: Logger;
  /** Inside a write: the lane may continue. */
  settled: () => void;
  /** Called with the result of each fetch: a fault of this machine, or none. */
  onMachine?: (fault: MachineFault | undefined) => void;
}

type Fetched = Map<number, string>;
type RequestFiles = { kind: 'ready'; files: Fetched } | Exclude<FetchedFile, { kind: 'fetched' }>;

/**
 * Fetches the files of requests, which keep their place in a lane meanwhile. All parts of a request are
 * released in the write that stores the location of its last file; if one file cannot be fetched, none of
 * them is sent. Unfinished fetches are repeated at the next start.
 */
export class Staging {
  private readonly inFlight = new Map<string, AbortController>();
  private readonly timers = new Set<Timer>();
  /** Requests that wait for this machine, with how often it failed them in a row. */
  private readonly kept = new Map<string, number>();
  /** Those of them whose next try is not due yet. */
  private readonly waits = new Set<string>();
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
    const { store } = this.options;
    const staging = store.tryRead(() => store.sendParts.staging());
    if (staging === undefined) this.later(STORE_RETRY_MS, () => this.look());
    for (const send of staging?.value ?? []) {
      const request = send.partOf ?? send.id;
      requests.set(request, [...(requests.get(request) ?? []), send]);
    }
    for (const [request, parts] of requests) {
      if (this.inFlight.size >= MOST_REQUESTS) return;
      if (!this.inFlight.has(request) && !this.waits.has(request)) void this.stage(request, parts);
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
    if (result.kind === 'stopped' || !this.running) {
      this.inFlight.delete(request);
      return;
    }
    this.options.onMachine?.(result.kind === 'kept' ? result.fault : undefined);
    if (result.kind === 'kept') this.keep(request, result.fault);
    else {
      this.kept.delete(request);
      this.conclude(request, parts, result);
    }
  }

  private later(ms: number, work: () => void): void {
    const timer = this.options.clock.after(ms, () => {
      this.timers.delete(timer);
      work();
    });
    this.timers.add(timer);
  }

  /** The request keeps its place in its lane; others are fetched meanwhile. */
  private keep(request: string, { code }: MachineFault): void {
    const { log } = this.options;
    const failures = (this.kept.get(request) ?? 0) + 1;
    this.kept.set(request, failures);
    log.warn('A file to send cannot be read because of a fault on this machine; will retry', { code });
    this.later(machinePause(failures), () => {
      this.waits.delete(request);
      this.forgetEnded(request);
      this.look();
    });
    this.waits.add(request);
    this.inFlight.delete(request);
    this.look();
  }

  /** A request that was settled otherwise meanwhile waits for this machine no more. */
  private forgetEnded(request: string): void {
    const { store, onMachine } = this.options;
    const staging = store.tryRead(() => store.sendParts.staging())?.value;
    if (staging?.some((part) => (part.partOf ?? part.id) === request) !== false) return;
    this.kept.delete(request);
    if (this.kept.size === 0) onMachine?.(undefined);
  }

  /** One after the other, as they go out. */
  private async fetchAll(parts: readonly SendRecord[], stop: AbortSignal): Promise<RequestFiles> {
    const files: Fetched = new Map();
    const wanted = parts.filter((part) => part.file !== null);
    for (const [index, part] of wanted.entries()) {
      if (part.source === null || part.file === null || part.staged === 1) continue;
      const fetched = await this.options.fetcher.fetch(part.source, part.file, stop);
      if (fetched.kind === 'failed') {
        const field = fieldOf(part.source);
        return { ...fetched, message: `payload.attachments.${index}.${field}: ${fetched.message}` };
      }
      if (fetched.kind === 'stopped' || fetched.kind === 'kept') return fetched;
      files.set(part.seq, fetched.path);
    }
    return { kind: 'ready', files };
  }

  private conclude(
    request: string,
    parts: readonly SendRecord[],
    result: Exclude<RequestFiles, { kind: 'stopped' | 'kept' }>,
  ): void {
    const { store, settled } = this.options;
    const stored = store.tryWrite(() => {
      for (const { seq } of parts) {
        const part = store.sends.get(seq);
        if (part?.state !== 'staging') continue;
        if (result.kind === 'ready') this.letOut(part, result.files.get(seq));
        else this.fail(part, result);
      }
      settled();
    });
    if (!stored && store.isOpen && this.running) {
      this.later(STORE_RETRY_MS, () => this.conclude(request, parts, result));
      return;
    }
    this.inFlight.delete(request);
    this.look();
  }

  private letOut(part: SendRecord, path: string | undefined): void {
    const { store, lanes } = this.options;
    if (path !== undefined) store.sendParts.setFile(part.seq, path);
    store.sendParts.setReady(part.seq);
    lanes.changed(part.conversation);
  }

  private fail(part: SendRecord, { errorCode, message }: Extract<FetchedFile, { kind: 'failed' }>): void {
    const { settlement, log } = this.options;
    log.warn('A file to send could not be fetched; nothing of its request is sent', {
      ...sendTrace(part),
      code: errorCode,
    });
    settlement.settle(part, { kind: 'failed', errorCode, message });
  }
}

/** The field of a command that such a source came in. */
function fieldOf(source: string): 'path' | 'data_base64' | 'url' {
  if (source.startsWith('file:')) return 'path';
  return source.startsWith('data:') ? 'data_base64' : 'url';
}
