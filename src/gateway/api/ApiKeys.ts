import type { Clock } from '../../system/clock.js';
import { type ApiKey, findApiKey, hashOf } from '../ledger/apiKeys.js';
import { notifyOfChange, RecentAnswers } from '../RecentAnswers.js';
import type { GatewayDatabase, StopListening } from '../storage/GatewayDatabase.js';

const CHANNEL = 'gateway_keys';

/** Notifies every replica that a key is no longer valid. To be called once that is durable. */
export function notifyOfKeys(database: GatewayDatabase): Promise<void> {
  return notifyOfChange(database, CHANNEL, '');
}

/** The keys of applications, as requests are judged by them. */
export class ApiKeys {
  private readonly recent: RecentAnswers<ApiKey>;
  private stopListening: StopListening = async () => undefined;

  constructor(
    private readonly database: GatewayDatabase,
    clock: Clock,
  ) {
    this.recent = new RecentAnswers(clock);
  }

  /** Rejects with `storage_unavailable` if the database does not listen. */
  async start(): Promise<void> {
    const forget = () => this.forget();
    this.stopListening = await this.database.listen(CHANNEL, forget, forget);
  }

  async stop(): Promise<void> {
    await this.stopListening();
  }

  /** The key that this secret is; undefined for none, and for one that was revoked. Rejects as the database does. */
  of(secret: string): Promise<ApiKey | undefined> {
    return this.recent.of(hashOf(secret), () => findApiKey(this.database, secret));
  }

  /** Something of a key was changed here. */
  forget(): void {
    this.recent.forget();
  }
}
