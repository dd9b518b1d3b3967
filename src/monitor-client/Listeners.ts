/** Listeners by type. A listener that throws does not affect the others. */
export class Listeners<Events> {
  private readonly byName = new Map<keyof Events, Set<(data: never) => void>>();

  /** Returns what ends it. */
  add<Name extends keyof Events>(name: Name, listener: (data: Events[Name]) => void): () => void {
    const listeners = this.byName.get(name) ?? new Set();
    this.byName.set(name, listeners);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  }

  /** An exception of a listener is rethrown once all were called: it is an error of the listener. */
  emit<Name extends keyof Events>(name: Name, data: Events[Name]): void {
    const thrown: unknown[] = [];
    for (const listener of [...(this.byName.get(name) ?? [])]) {
      try {
        (listener as (data: Events[Name]) => void)(data);
      } catch (error) {
        thrown.push(error);
      }
    }
    if (thrown.length > 0) throw thrown[0];
  }
}
