import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { NotificationLevel } from '../monitor-client/index.js';

export interface Toast {
  id: number;
  level: NotificationLevel;
  message: string;
}

const SHOWN_MS = 6_000;
const MOST = 4;

/** Temporary notices. An error stays until it is dismissed. */
export function useToasts(): {
  toasts: readonly Toast[];
  notify: (level: NotificationLevel, message: string) => void;
  dismiss: (id: number) => void;
} {
  const [toasts, setToasts] = useState<readonly Toast[]>([]);
  const timers = useRef(new Set<ReturnType<typeof setTimeout>>());
  const count = useRef(0);
  useEffect(() => () => timers.current.forEach(clearTimeout), []);
  const dismiss = useCallback((id: number) => setToasts((all) => all.filter((toast) => toast.id !== id)), []);
  const notify = useCallback((level: NotificationLevel, message: string) => {
    count.current += 1;
    const id = count.current;
    setToasts((all) => [...all, { id, level, message }].slice(-MOST));
    if (level === 'error') return;
    const timer = setTimeout(() => {
      timers.current.delete(timer);
      dismiss(id);
    }, SHOWN_MS);
    timers.current.add(timer);
  }, []);
  return { toasts, notify, dismiss };
}
