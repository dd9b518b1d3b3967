import { EdgeError } from '../../errors.js';
import type { Clock } from '../../system/clock.js';
import { type ApiKey, findApiKey, hashOf } from '../ledger/apiKeys.js';
import { RecentAnswers } from '../RecentAnswers.js';
import type { GatewayDatabase, StopListening } from '../storage/GatewayDatabase.js';

const CHANNEL = 'gateway_keys';

/** Tells every replica that a key counts no more. To be called once that is durable. */
export async function tellOfKeys(database: GatewayDatabase): Promise<void> {
  try {
    await database.notify(CHANNEL, '');
  } catch (error) {
    // It is done all the same; replicas that are not told find out within 10 s.
    if (!(error instanceof EdgeError && error.code === 'storage_unavailable')) throw error;
  }
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
