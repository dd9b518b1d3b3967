/** A pending call; after `cancel` it never happens. */
export interface ClientTimer {
  cancel(): void;
}

/** Time and chance as the client sees them; tests hand in their own. `monotonic` is in ms and never goes back. */
export interface ClientClock {
  monotonic(): number;
  after(ms: number, run: () => void): ClientTimer;
  /** A number in [0, 1). */
  chance(): number;
}

/** The ones of a browser or of Node; both have these names. */
export const platformClock: ClientClock = {
  monotonic: () => performance.now(),
  after(ms, run) {
    const handle = setTimeout(run, ms);
    return { cancel: () => clearTimeout(handle) };
  },
  chance: () => Math.random(),
};
