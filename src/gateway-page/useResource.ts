import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { GatewayEvent, GatewayEventType } from '../model/gatewayEvents.js';
import { ApiFault } from './GatewayApi.js';
import { useConsole } from './gatewayConsole.js';

/** An answer of the API: not there yet; there; or failed, with what was known before. */
export type Resource<T> =
  | { readonly state: 'loading'; readonly value?: undefined }
  | { readonly state: 'ready'; readonly value: T }
  | { readonly state: 'failed'; readonly error: ApiFault; readonly value?: T | undefined };

/** Events that come together cause one question. */
const SETTLE_MS = 300;
/** Changes without an event (a queue that drains, a Mac seen by HTTP). */
const REFRESH_MS = 10_000;

/** What a path of the API answers; see `useAnswer`. */
export function useResource<T>(
  path: string,
  occasions: readonly GatewayEventType[],
): Resource<T> & { again: () => void } {
  const { api } = useConsole();
  return useAnswer(path, () => api.get<T>(path), occasions);
}

/**
 * What `load` gives for a question, asked again when one of these types of events comes, and each 10 s while the page is in sight. The
 * answer to another question is never shown.
 */
export function useAnswer<T>(
  question: string,
  load: () => Promise<T>,
  occasions: readonly GatewayEventType[],
): Resource<T> & { again: () => void } {
  const { onEvent } = useConsole();
  const [answer, setAnswer] = useState<{ to: string; resource: Resource<T> }>({
    to: question,
    resource: { state: 'loading' },
  });
  const current = useRef({ question, load });
  current.current = { question, load };
  const ask = useCallback(async () => {
    const set = (resource: (before: Resource<T>) => Resource<T>) => {
      if (current.current.question !== question) return;
      setAnswer((before) => ({
        to: question,
        resource: resource(before.to === question ? before.resource : { state: 'loading' }),
      }));
    };
    try {
      const value = await current.current.load();
      set(() => ({ state: 'ready', value }));
    } catch (error) {
      if (!(error instanceof ApiFault)) throw error;
      set(({ value }) => ({ state: 'failed', error, value }));
    }
  }, [question]);
  useEffect(() => {
    void ask();
    let soon: ReturnType<typeof setTimeout> | undefined;
    const forget = onEvent((event: GatewayEvent) => {
      if (soon !== undefined || !occasions.includes(event.type)) return;
      soon = setTimeout(() => {
        soon = undefined;
        void ask();
      }, SETTLE_MS);
    });
    const regularly = setInterval(() => {
      if (!document.hidden) void ask();
    }, REFRESH_MS);
    return () => {
      forget();
      clearTimeout(soon);
      clearInterval(regularly);
    };
  }, [ask]);
  const resource: Resource<T> = answer.to === question ? answer.resource : { state: 'loading' };
  return { ...resource, again: () => void ask() };
}
