/**
 * Ends a run of osascript and whatever it started, by SIGKILL. `pid` must be that of a living process of
 * ours. It is the leader of its group, because it was spawned detached; if it is not (a stand-in that forked),
 * it alone is ended. A process that has ended meanwhile is fine.
 */
export function killProcessGroup(pid: number): void {
  if (!signal(-pid)) signal(pid);
}

/** False if there is nothing to signal, or nothing we may signal. */
function signal(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ESRCH' || code === 'EPERM') return false;
    throw error;
  }
}
