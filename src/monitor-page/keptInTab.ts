/** A secret of this tab, over reloads. The browser gives it to no other tab, site or port, and drops it with the tab. */
interface KeptInTab {
  get(): string | null;
  keep(secret: string): void;
  forget(): void;
}

/** Keeps one under this name. */
export function keptInTab(name: string): KeptInTab {
  return {
    get: () => stored((storage) => storage.getItem(name)) ?? null,
    keep: (secret) => stored((storage) => storage.setItem(name, secret)),
    forget: () => stored((storage) => storage.removeItem(name)),
  };
}

function stored<T>(use: (storage: Storage) => T): T | undefined {
  try {
    return use(sessionStorage);
  } catch {
    // A browser may be set to store nothing; then a reload ends the session.
    return undefined;
  }
}
