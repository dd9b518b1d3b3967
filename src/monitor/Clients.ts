import type { Presence } from '../model/clientFrames.js';
import type { UserPresence } from '../model/monitorFrames.js';
import type { Client, Session } from './Client.js';

/** A client with a valid token. */
export type KnownClient = Client & { readonly session: Session };

/** The first that one of a user's connections says is what the user is. */
const FIRST_TO_COUNT: readonly Presence[] = ['busy', 'online', 'away'];

/** Who is connected, and who that is: several connections of one user are one person. */
export class Clients {
  private readonly strangers = new Set<Client>();
  private readonly known = new Set<KnownClient>();

  add(client: Client): void {
    if (isKnown(client)) this.known.add(client);
    else this.strangers.add(client);
  }

  delete(client: Client): void {
    if (isKnown(client)) this.known.delete(client);
    else this.strangers.delete(client);
  }

  get connected(): number {
    return this.strangers.size + this.known.size;
  }

  get authenticated(): number {
    return this.known.size;
  }

  get unauthenticated(): number {
    return this.strangers.size;
  }

  all(): Client[] {
    return [...this.strangers, ...this.known];
  }

  /** Those with a valid token. */
  users(): readonly KnownClient[] {
    return [...this.known];
  }

  /** Whether any client subscribed to more than the standard frames. */
  get hasSubscribers(): boolean {
    return this.users().some(({ topics }) => topics.size > 0);
  }

  /** What a user is over all connections; `offline` once there is none. */
  presenceOf(userId: string): Presence {
    const said = new Set<Presence>();
    for (const { session, presence } of this.known) if (session.userId === userId) said.add(presence);
    return FIRST_TO_COUNT.find((presence) => said.has(presence)) ?? 'offline';
  }

  /** Everybody who is connected and does not say to be offline: to the others, that is the same as to have gone. */
  presences(): UserPresence[] {
    const ids = new Set(this.users().map(({ session }) => session.userId));
    const all = [...ids].toSorted().map((userId) => ({ userId, status: this.presenceOf(userId) }));
    return all.filter(({ status }) => status !== 'offline');
  }
}

export function isKnown(client: Client): client is KnownClient {
  return client.session !== undefined;
}
