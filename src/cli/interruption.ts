import { systemClock } from '../system/clock.js';
import { untilSignal } from './untilSignal.js';

/** The exit code of a stopped program, as in a shell for SIGINT. */
export const INTERRUPTED = 130;

/** Aborted by the first SIGINT or SIGTERM; the second one ends the process at once. */
export function interruption(): AbortSignal {
  const controller = new AbortController();
  void untilSignal().then(() => controller.abort());
  return controller.signal;
}

/** Resolves after `ms`, or as soon as the signal is aborted; no timer is left then. */
export function wait(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      timer.cancel();
      stop.removeEventListener('abort', end);
      resolve();
    };
    const timer = systemClock.after(stop.aborted ? 0 : ms, end);
    stop.addEventListener('abort', end);
  });
}
