const KEPT_AS = 'edge-agent-gateway-key';

/** The key of this tab, over reloads. The browser gives it to no other tab or site, and drops it with the tab. */
export const keptKey = {
  get(): string | null {
    return stored((storage) => storage.getItem(KEPT_AS)) ?? null;
  },
  keep(key: string): void {
    stored((storage) => storage.setItem(KEPT_AS, key));
  },
  forget(): void {
    stored((storage) => storage.removeItem(KEPT_AS));
  },
};

function stored<T>(use: (storage: Storage) => T): T | undefined {
  try {
    return use(sessionStorage);
  } catch {
    // A browser may be set to store nothing; then a reload ends the session.
    return undefined;
  }
}
