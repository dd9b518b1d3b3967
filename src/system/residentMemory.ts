let lastKnown = 0;

/**
 * The memory of this process in bytes. Linux tells it by a file: where none can be opened, it is what was told last,
 * so that an agent without descriptors can still say what is wrong.
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
