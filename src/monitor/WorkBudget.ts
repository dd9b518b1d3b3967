import { type Rate, RateLimit } from './rateLimit.js';

/** Ms of the agent's time for the requests of all users: 5 % in the long run, unless single ones take longer than the burst. */
const EVERYBODY: Rate = { burst: 300, perSecond: 50 };
/** And for those of one user, over all connections and however often they come back: 1 %. */
const ONE_USER: Rate = { burst: 150, perSecond: 10 };

/**
 * How much of the agent's time may go into requests. Each runs without interruption, and nothing else runs meanwhile: a
 * user with expensive requests is refused sooner, others are not, and the agent's own work continues. Times are
 * monotonic, in ms.
 */
export class WorkBudget {
  private readonly everybody = new RateLimit(EVERYBODY);
  private readonly users = new Map<string, RateLimit>();

  /** Whether one more request of the user may be done now. */
  hasRoom(userId: string, now: number): boolean {
    return this.everybody.available(now) > 0 && (this.users.get(userId)?.available(now) ?? 1) > 0;
  }

  /** Notes what a request took; it may have been more than there was. */
  spend(userId: string, ms: number, now: number): void {
    this.everybody.spend(ms, now);
    const known = this.users.get(userId);
    if (known === undefined) this.forgetIdle(now);
    const user = known ?? new RateLimit(ONE_USER);
    user.spend(ms, now);
    this.users.set(userId, user);
  }

  private forgetIdle(now: number): void {
    for (const [userId, limit] of this.users)
      if (limit.available(now) >= ONE_USER.burst) this.users.delete(userId);
  }
}
