/** How often the event loop is looked at. `monitorEventLoopDelay` counts this wait as part of what it measures. */
export const SAMPLED_EVERY_MS = 10;

/** How late the event loop was, in seconds, for a delay that was measured, in nanoseconds. Nothing measured yet is no lag. */
export function loopLag(measured: number): number {
  if (!Number.isFinite(measured) || measured >= 1e18) return 0;
  return Math.max(0, measured / 1e9 - SAMPLED_EVERY_MS / 1000);
}
