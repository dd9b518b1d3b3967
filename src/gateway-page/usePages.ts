import { useEffect, useState } from 'preact/hooks';
import type { GatewayEventType } from '../model/gatewayEvents.js';
import { useConsole } from './gatewayConsole.js';
import { type Resource, useAnswer } from './useResource.js';

/** The beginning of a list of the API; `next_cursor` null: all of it. */
export interface ApiPage<T> {
  readonly data: readonly T[];
  readonly next_cursor: string | null;
}

/** As many as the API gives at once. */
const A_PAGE = 100;

/** The beginning of a list of the API, and `more` of it when it is asked for. */
export function usePages<T>(
  path: string,
  occasions: readonly GatewayEventType[],
): Resource<ApiPage<T>> & { again: () => void; more: (() => void) | undefined } {
  const { api } = useConsole();
  const [pages, setPages] = useState(1);
  const load = async () => {
    const data: T[] = [];
    let cursor: string | null = null;
    for (let page = 0; page < pages && (page === 0 || cursor !== null); page += 1) {
      const behind: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const next: ApiPage<T> = await api.get(
        `${path}${path.includes('?') ? '&' : '?'}limit=${A_PAGE}${behind}`,
      );
      data.push(...next.data);
      cursor = next.next_cursor;
    }
    return { data, next_cursor: cursor };
  };
  const list = useAnswer<ApiPage<T>>(path, load, occasions);
  useEffect(() => {
    if (pages > 1) list.again();
  }, [pages]);
  const hasMore = list.value !== undefined && list.value.next_cursor !== null;
  return { ...list, more: hasMore ? () => setPages(pages + 1) : undefined };
}
