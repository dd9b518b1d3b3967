import type { Clock } from '../system/clock.js';

/** How long an answer is kept in mind, in ms, and how many: one request in many asks the database. */
const KEPT_MS = 10_000;
const KEPT_AT_MOST = 10_000;

/** What the database said of credentials a moment ago. Who hears that some of them changed has it forgotten. */
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

  /** Nothing of what is known counts any more. */
  forget(): void {
    this.changes += 1;
    this.kept.clear();
  }
}
