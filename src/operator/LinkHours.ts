import type { Clock } from '../system/clock.js';

/** What the link did in the hour that begins at `from` (Unix ms). */
interface LinkHour {
  from: number;
  reconnects: number;
  pings: number;
  /** Of all pings together, ms. */
  roundTripMs: number;
}

/** Where the hours outlive the agent. */
interface HoursStore {
  /** What is kept as a list; undefined where there is none, or it is damaged. */
  list<T>(key: string): T[] | undefined;
  set(key: string, value: string): void;
}

const KEY = 'link_hours';
const HOUR_MS = 3600_000;
const MOST_HOURS = 24;

/** Round trips and reconnects of the link by the hour, of the last 24 in which there were any; over restarts of the agent. */
export class LinkHours {
  private hours: LinkHour[];
  private changed = false;

  constructor(
    private readonly store: HoursStore,
    private readonly clock: Clock,
  ) {
    this.hours = store.list<LinkHour>(KEY) ?? [];
  }

  noteReconnect(): void {
    this.now().reconnects += 1;
  }

  noteRoundTrip(ms: number): void {
    const hour = this.now();
    hour.pings += 1;
    hour.roundTripMs += ms;
  }

  /** The hour that begins at `from`, Unix ms; `rttMs` is the mean, null without a ping. */
  at(from: number): { reconnects: number; rttMs: number | null } {
    const {
      reconnects = 0,
      pings = 0,
      roundTripMs = 0,
    } = this.hours.find((hour) => hour.from === from) ?? {};
    return { reconnects, rttMs: pings === 0 ? null : roundTripMs / pings };
  }

  /** Whether the next life would know all of it. */
  get isSaved(): boolean {
    return !this.changed;
  }

  /** Inside a write: keeps it for the next life. */
  save(): void {
    this.store.set(KEY, JSON.stringify(this.hours));
    this.changed = false;
  }

  private now(): LinkHour {
    this.changed = true;
    const now = this.clock.now();
    const from = now - (now % HOUR_MS);
    const known = this.hours.find((hour) => hour.from === from);
    if (known !== undefined) return known;
    const begun = { from, reconnects: 0, pings: 0, roundTripMs: 0 };
    this.hours = [...this.hours, begun].slice(-MOST_HOURS);
    return begun;
  }
}
