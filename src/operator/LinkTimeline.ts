import type { LinkWord } from '../model/operatorApi.js';
import type { Clock } from '../system/clock.js';

/** From `at` (Unix ms) on it was so, until the next one. */
interface LinkChange {
  at: number;
  state: LinkWord;
}

/** Where the strip outlives the agent. */
interface TimelineStore {
  /** What is kept as a list; undefined where there is none, or it is damaged. */
  list<T>(key: string): T[] | undefined;
  set(key: string, value: string): void;
}

const KEY = 'link_changes';
const KEPT_MS = 24 * 3600_000;
/** The oldest go first: a link that flaps all day is red all over. */
const MOST_CHANGES = 1_000;

/** How the link was in the last 24 hours, over restarts of the agent. */
export class LinkTimeline {
  private changes: LinkChange[];
  private changed = false;

  /** `aliveAt`: when an earlier life was last known to be alive, Unix ms. */
  constructor(
    private readonly store: TimelineStore,
    private readonly clock: Clock,
    aliveAt: number | undefined,
  ) {
    this.changes = store.list<LinkChange>(KEY) ?? [];
    if (aliveAt !== undefined) this.add({ at: aliveAt, state: 'stopped' });
  }

  /** False if it was so already. */
  note(state: LinkWord): boolean {
    return this.add({ at: this.clock.now(), state });
  }

  /** Ascending; the first one holds from then on, and nothing is known of what was before. */
  history(): LinkChange[] {
    this.forget();
    return [...this.changes];
  }

  /** Whether the next life would know all of it. */
  get isSaved(): boolean {
    return !this.changed;
  }

  /** Inside a write: keeps it for the next life. */
  save(): void {
    this.forget();
    this.store.set(KEY, JSON.stringify(this.changes));
    this.changed = false;
  }

  private add(change: LinkChange): boolean {
    if (this.changes.at(-1)?.state === change.state) return false;
    this.changes.push(change);
    if (this.changes.length > MOST_CHANGES) this.changes.shift();
    this.changed = true;
    return true;
  }

  /** What was the state when the 24 hours began is kept, from then on. */
  private forget(): void {
    const since = this.clock.now() - KEPT_MS;
    const first = this.changes.findLastIndex(({ at }) => at <= since);
    if (first < 0) return;
    const [oldest, ...rest] = this.changes.slice(first);
    this.changes = oldest === undefined ? [] : [{ ...oldest, at: since }, ...rest];
  }
}
