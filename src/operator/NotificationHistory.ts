import type { PastNotification } from '../model/operatorApi.js';
import type { Clock } from '../system/clock.js';

/** Where the history outlives the agent. */
interface HistoryStore {
  /** What is kept as a list; undefined where there is none, or it is damaged. */
  list<T>(key: string): T[] | undefined;
  set(key: string, value: string): void;
}

const KEY = 'notifications';
const MOST = 100;
/** In characters; longer ones are cut. */
const LONGEST = 500;

/** The newest 100 notifications, with or without connected clients; across restarts of the agent. */
export class NotificationHistory {
  private notifications: PastNotification[];
  private changed = false;

  constructor(
    private readonly store: HistoryStore,
    private readonly clock: Clock,
  ) {
    this.notifications = store.list<PastNotification>(KEY) ?? [];
  }

  note({ level, message }: Omit<PastNotification, 'at'>): void {
    const at = new Date(this.clock.now()).toISOString();
    const words = message.length <= LONGEST ? message : `${message.slice(0, LONGEST - 1)}…`;
    this.notifications = [...this.notifications, { at, level, message: words }].slice(-MOST);
    this.changed = true;
  }

  /** The newest last. */
  list(): PastNotification[] {
    return [...this.notifications];
  }

  /** Whether the next life would know all of it. */
  get isSaved(): boolean {
    return !this.changed;
  }

  /** Inside a write: keeps it for the next life. */
  save(): void {
    this.store.set(KEY, JSON.stringify(this.notifications));
    this.changed = false;
  }
}
