/** Where a table of things to be told hangs its "something was added" calls on the commit that made them durable. */
export interface CommitHooks {
  afterCommit(hook: () => void): void;
}

/** Tells listeners, after the commit, that something was added. */
export class AddedSignal {
  private readonly listeners = new Set<() => void>();

  constructor(private readonly hooks: CommitHooks) {}

  /** Calls `listener` after each commit that added something; returns the way to stop it. */
  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
    };
  }

  raise(): void {
    this.hooks.afterCommit(() => {
      for (const listener of this.listeners) listener();
    });
  }
}
