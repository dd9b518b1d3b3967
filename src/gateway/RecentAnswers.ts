import { EdgeError } from '../errors.js';
import type { Clock } from '../system/clock.js';
import type { GatewayDatabase } from './storage/GatewayDatabase.js';

/** How long an answer is kept in mind, in ms, and how many: one request in many asks the database. */
const KEPT_MS = 10_000;
const KEPT_AT_MOST = 10_000;

/**
 * Notifies every replica of a durable change of credentials, so that it forgets what it has read of them. If the database is unavailable,
 * the change stands and replicas find out later, each in its own time. Rejects for any other fault.
 */
export async function notifyOfChange(
  database: GatewayDatabase,
  channel: string,
  payload: string,
): Promise<void> {
  try {
    await database.notify(channel, payload);
  } catch (error) {
    if (!(error instanceof EdgeError && error.code === 'storage_unavailable')) throw error;
  }
}

/** Credentials that the database returned a moment ago. To be forgotten once some of them have changed. */
export class RecentAnswers<T> {
  private readonly kept = new Map<string, { readonly answer: T; readonly until: number }>();
  /** How often something has changed: what was asked before that is not kept. */
  private changes = 0;

  constructor(private readonly clock: Clock) {}

  /** What `ask` gave within the last 10 s, or gives now. `undefined` is not kept. Rejects as `ask` does. */
  async of(name: string, ask: () => Promise<T | undefined>): Promise<T | undefined> {
    const known = this.kept.get(name);
    if (known !== undefined && known.until > this.clock.monotonic()) return known.answer;
    const before = this.changes;
    const answer = await ask();
    this.kept.delete(name);
    if (answer !== undefined && before === this.changes)
      this.kept.set(name, { answer, until: this.clock.monotonic() + KEPT_MS });
    const oldest = this.kept.size > KEPT_AT_MOST ? this.kept.keys().next() : undefined;
    if (oldest?.done === false) this.kept.delete(oldest.value);
    return answer;
  }

  /** Forgets all answers. */
  forget(): void {
    this.changes += 1;
    this.kept.clear();
  }
}
