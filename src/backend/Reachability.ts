import type { Clock } from '../system/clock.js';
import type { HttpOutcome } from './HttpClient.js';

/** The end of one HTTP request, for those who judge whether the backend answers. `at` is Unix ms. */
export interface HttpReport {
  readonly at: number;
  readonly path: string;
  /** The backend answered: any status below 500. */
  readonly answered: boolean;
  readonly status?: number;
  readonly detail: string;
}

/** Failures in a row before "unreachable" is a fact and not a hiccup. */
const PROVEN_BY = 2;

/** Whether the backend answers HTTP, by the requests that are made anyway. */
export class Reachability {
  private readonly listeners = new Set<(report: HttpReport) => void>();
  private failures = 0;
  private changedAt: number;
  private failingSince = 0;
  private refusedSince: number | null = null;
  private lastDetail = '';
  private accepted: { readonly at: number; readonly path: string } | null = null;

  constructor(private readonly clock: Clock) {
    this.changedAt = clock.now();
  }

  /** False after two requests in a row that got no answer or a 5xx; true until then. */
  get reachable(): boolean {
    return this.failures < PROVEN_BY;
  }

  /** Since when it is so, Unix ms: an outage counts from its first failed request. */
  get since(): number {
    return this.changedAt;
  }

  get detail(): string {
    return this.lastDetail;
  }

  /**
   * Since when requests that are not about one message alone are answered by 401 or 403, Unix ms; null while they are not. A
   * firewall refuses a message for what it says; whether the credentials are at fault, another request shows.
   */
  get unauthorisedSince(): number | null {
    return this.refusedSince;
  }

  /** The newest request that was answered by 2xx, a registration apart; null while there was none. `at` is Unix ms. */
  get newestAccepted(): { readonly at: number; readonly path: string } | null {
    return this.accepted;
  }

  /** Whether HTTP takes our credentials: it did, and has not refused them since. */
  get takesUs(): boolean {
    return this.accepted !== null && this.refusedSince === null;
  }

  /** The credentials are other ones now: what was taken or refused before proves nothing. */
  forgetCredentials(): void {
    this.accepted = null;
  }

  /** Each HTTP request's end, in order. Returns the unsubscribe. */
  subscribe(listener: (report: HttpReport) => void): () => void {
    // A wrapper, so that the same function subscribed twice is two subscriptions (docs/facts.md, bug 14).
    const entry = (report: HttpReport) => listener(report);
    this.listeners.add(entry);
    return () => {
      this.listeners.delete(entry);
    };
  }

  /**
   * Notes a request's end. `authorised`: HTTP just turned from 401/403 to 2xx. `in_doubt`: a request about one message alone was
   * refused, and it is not known whether others are.
   */
  note(path: string, outcome: HttpOutcome, isAboutOne = false): 'authorised' | 'in_doubt' | undefined {
    // Nothing left this machine, so nothing was learnt of the backend.
    if (outcome.kind === 'failed' && (outcome.cause === 'aborted' || outcome.cause === 'unauthorised'))
      return undefined;
    const at = this.clock.now();
    const status = outcome.kind === 'failed' ? undefined : outcome.status;
    const answered = status !== undefined && status < 500;
    if (answered) {
      if (!this.reachable) this.changedAt = at;
      this.failures = 0;
    } else {
      this.lastDetail = outcome.detail;
      if (this.failures === 0) this.failingSince = at;
      this.failures += 1;
      if (this.failures === PROVEN_BY) this.changedAt = this.failingSince;
    }
    // A refused registration is about its own token.
    const counts = path !== '/edge/register';
    if (counts && outcome.kind === 'ok') this.accepted = { at, path };
    const turned = counts && this.refusedSince !== null && outcome.kind === 'ok';
    const isRefused = counts && (status === 401 || status === 403);
    if (isRefused && !isAboutOne) this.refusedSince ??= at;
    else if (counts && outcome.kind === 'ok') this.refusedSince = null;
    const report = {
      at,
      path,
      answered,
      ...(status === undefined ? {} : { status }),
      detail: outcome.detail,
    };
    for (const listener of [...this.listeners]) listener(report);
    if (turned) return 'authorised';
    return isRefused && isAboutOne && this.refusedSince === null ? 'in_doubt' : undefined;
  }
}
