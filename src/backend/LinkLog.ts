import { loggableUrl } from '../config/backendUrls.js';
import type { Logger } from '../logging/Logger.js';
import type { Clock } from '../system/clock.js';
import { describeLoss, type LinkState, type Loss, lossWords } from './linkTypes.js';

/** Failures in a row that are logged in full. */
const LOGGED_IN_FULL = 5;
const SUMMARY_EVERY = 10;
const SUMMARY_MS = 600_000;

interface LinkLogPorts {
  readonly log: Logger;
  readonly clock: Clock;
  readonly settings: () => { readonly syncIntervalSeconds: number; readonly reconnectAttempts: number };
  readonly url: () => string;
  /** Why we are blocked and what to do, for a person. */
  readonly blockedWords: (loss: Loss | null) => string;
}

/**
 * Logs the history of the link: every line of a short outage, then one in ten attempts or one in ten minutes, and one
 * when it is over. The cause of a block is logged once.
 */
export class LinkLog {
  private delivery: 'unknown' | 'realtime' | 'polling' = 'unknown';
  private blockedReason: string | null = null;
  private lastLoggedAt = Number.NEGATIVE_INFINITY;
  private unlogged = 0;
  private explained = '';

  constructor(private readonly ports: LinkLogPorts) {}

  changed(before: LinkState, after: LinkState): void {
    const { log } = this.ports;
    switch (after.name) {
      case 'dialing':
        if (before.name === 'online' || before.name === 'suspect') this.fellBack(before, after);
        this.dialing(after);
        break;
      case 'online':
        if (before.name === 'suspect') log.debug('WebSocket answers again');
        else this.connected(after);
        break;
      case 'suspect':
        log.debug('WebSocket is silent; sending a ping with a short deadline', { cause: after.cause });
        break;
      case 'waiting':
        this.fellBack(before, after);
        this.scheduled(after);
        break;
      case 'blocked':
        this.fellBack(before, after);
        this.blocked(after);
        break;
      case 'draining':
        log.debug('WebSocket draining');
        break;
      case 'stopped':
        log.info('WebSocket closed');
        break;
      case 'idle':
        this.polling();
        break;
      default:
        break;
    }
  }

  private polling(): void {
    this.delivery = 'polling';
    this.ports.log.info(`Command delivery: HTTP polling every ${this.ports.settings().syncIntervalSeconds}s`);
  }

  private dialing(state: LinkState): void {
    if (this.blockedReason !== null && state.failures > 1) return;
    if (!this.worthLogging(state.failures)) return;
    const { log } = this.ports;
    if (state.failures > 0) log.info(`Attempting WebSocket reconnect (attempt ${state.failures})`);
    log.info(`Connecting to WebSocket: ${loggableUrl(this.ports.url())}`);
  }

  private connected(state: LinkState): void {
    const { log } = this.ports;
    log.info('✅ WebSocket connected - real-time mode enabled');
    if (this.unlogged > 0) log.info(`WebSocket recovered; ${this.unlogged} failed attempts were not logged`);
    if (this.worthLogging(state.failures)) {
      log.info('🔌 WebSocket connected - real-time command delivery enabled');
      log.info('Command delivery: Real-time via WebSocket 🚀');
      log.info('HTTP polling paused - WebSocket active');
    }
    this.unlogged = 0;
    this.explained = '';
    this.delivery = 'realtime';
    this.blockedReason = null;
  }

  private fellBack(before: LinkState, after: LinkState): void {
    const { log } = this.ports;
    const loss = after.lastLoss;
    const isWorthLogging = this.worthLogging(after.failures);
    const refusedBefore = after.name === 'blocked' && after.reason === this.blockedReason;
    const failed = loss !== null && loss.kind !== 'closed' && loss.kind !== 'replaced';
    if (loss && failed && isWorthLogging && !refusedBefore && loss !== before.lastLoss)
      log.error(`WebSocket error: ${JSON.stringify([bareLoss(loss)])}`, detailOf(loss));
    if (this.delivery !== 'polling') {
      const cause = loss === null ? {} : { cause: describeLoss(loss) };
      log.warn('🔌 WebSocket disconnected - falling back to HTTP polling', cause);
      if (before.name === 'dialing')
        log.warn('⚠️  WebSocket connection failed - falling back to HTTP polling');
      this.polling();
    }
    if (loss && after.name === 'waiting') this.explain(loss);
    if (loss?.kind === 'closed' && loss.code === 4409)
      log.warn('Another connection took over this edge_agent_id: two agents seem to share one id');
  }

  /** Once until the link is up again or fails in another way. */
  private explain(loss: Loss): void {
    const { meaning, remedy } = lossWords(loss);
    if (meaning === describeLoss(loss) || meaning === this.explained) return;
    this.explained = meaning;
    this.ports.log.warn(`The real-time link failed with ${meaning}. ${remedy}`);
  }

  private scheduled(state: Extract<LinkState, { name: 'waiting' }>): void {
    const limit = this.ports.settings().reconnectAttempts;
    const of = limit > 0 && state.failures <= limit ? `/${limit}` : '';
    const ms = Math.round(state.until - state.since);
    if (!this.worthLogging(state.failures)) {
      this.unlogged += 1;
      return;
    }
    this.lastLoggedAt = this.ports.clock.monotonic();
    this.ports.log.info(`Scheduling WebSocket reconnect attempt ${state.failures}${of} in ${ms}ms`);
    if (limit > 0 && state.failures === limit)
      this.ports.log.warn(`WebSocket failed ${limit} times in a row; reporting degraded, still retrying`);
  }

  private blocked(state: Extract<LinkState, { name: 'blocked' }>): void {
    if (state.reason === this.blockedReason) return;
    this.blockedReason = state.reason;
    this.ports.log.error(`WebSocket blocked (${state.reason}): ${this.ports.blockedWords(state.lastLoss)}`);
  }

  private worthLogging(failures: number): boolean {
    if (failures <= LOGGED_IN_FULL || failures % SUMMARY_EVERY === 0) return true;
    return this.ports.clock.monotonic() - this.lastLoggedAt >= SUMMARY_MS;
  }
}

/** The loss alone: what the other side said of it is a field of the line, whose words are fixed. */
function bareLoss(loss: Loss): string {
  return describeLoss(loss.kind === 'refused' ? { ...loss, detail: '' } : loss);
}

function detailOf(loss: Loss): Record<string, string> {
  return loss.kind === 'refused' && loss.detail ? { detail: loss.detail } : {};
}
