import { release } from 'node:os';
import type { AccountsFound, AutomationAnswered, MarkerProof } from '../model/operatorApi.js';
import type { Store } from '../store/Store.js';
import type { Clock } from '../system/clock.js';
import { timersLate } from '../system/timersLate.js';

/** Names, among the small facts of the store, the macOS and the osascript that proved that the marker is written at once. */
const PROVEN = 'marker.proven';

interface MacVerbOptions {
  readonly store: Store;
  readonly automation: { ask(raise: boolean): Promise<AutomationAnswered> };
  readonly prove: () => Promise<MarkerProof>;
  readonly accounts: () => Promise<AccountsFound>;
  readonly osascriptPath: string;
  readonly clock: Clock;
}

/** What only the agent itself can find out of this Mac, because it is about its own process. Each ends within 25 s. */
export function macVerbs({ store, automation, prove, accounts, osascriptPath, clock }: MacVerbOptions) {
  return {
    automation: ({ raise }: Readonly<Record<string, unknown>>) => automation.ask(raise === true),
    accounts,
    timers: async () => ({ worst_ms: await timersLate(clock) }),
    marker: async () => {
      const proof = await prove();
      store.tryWrite(() =>
        proof.proven ? store.meta.set(PROVEN, provenBy(osascriptPath)) : store.meta.delete(PROVEN),
      );
      return proof;
    },
  };
}

/** Whether the selftest has proven, with this osascript and since macOS was last upgraded, that the marker is written at once. */
export function isMarkerProven({ meta }: Pick<Store, 'meta'>, osascriptPath: string): boolean {
  return meta.get(PROVEN) === provenBy(osascriptPath);
}

function provenBy(osascriptPath: string): string {
  return `${release()} ${osascriptPath}`;
}
