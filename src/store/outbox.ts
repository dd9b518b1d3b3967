/** Where a table of things to be told hangs its "something was added" calls on the commit that made them durable. */
export interface CommitHooks {
  afterCommit(hook: () => void): void;
}

/** Tells listeners, after the commit, that something was added. */
export class CommitSignal {
  private readonly listeners = new Set<() => void>();

  constructor(private readonly hooks: CommitHooks) {}

  /** Calls `listener` after each commit that added something; returns the way to stop it. */
  subscribe(listener: () => void): () => void {
    // A wrapper, so that the same function subscribed twice is two subscriptions.
    const entry = () => listener();
    this.listeners.add(entry);
    return () => {
      this.listeners.delete(entry);
    };
  }

  /** Inside a write: listeners are told once, however often it is raised in one commit. */
  raise(): void {
    this.hooks.afterCommit(this.tell);
  }

  private readonly tell = (): void => {
    for (const listener of this.listeners) listener();
  };
}
