const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Does what must not be left half-done: Ctrl-C, a request to end and a terminal that is closed wait until it is over,
 * and then have their usual effect. Nothing helps against SIGKILL; what it leaves is put right by doing the same again.
 */
export async function uninterrupted<T>(work: () => Promise<T>): Promise<T> {
  const held: NodeJS.Signals[] = [];
  const hold = (signal: NodeJS.Signals) => void held.push(signal);
  for (const signal of SIGNALS) process.on(signal, hold);
  try {
    return await work();
  } finally {
    for (const signal of SIGNALS) process.off(signal, hold);
    for (const signal of held) process.kill(process.pid, signal);
  }
}
