let lastKnown = 0;

/**
 * The memory of this process in bytes. Linux provides it as a file: if it cannot be opened, the last value is returned,
 * so that an agent without descriptors can still report its problem.
 */
export function residentBytes(): number {
  try {
    lastKnown = process.memoryUsage.rss();
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
  }
  return lastKnown;
}

/** The same in whole MiB. */
export function residentMegabytes(): number {
  return Math.round(residentBytes() / 1024 / 1024);
}
