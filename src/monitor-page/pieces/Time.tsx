import { useNow } from '../useNow.js';
import { distance, fullTime } from '../words.js';

/** A time by its distance from now; the whole of it on pointing at it. */
export function Time({ at, none = 'never' }: { at: string | null; none?: string }) {
  const now = useNow();
  if (at === null) return <span class="soft">{none}</span>;
  const ms = Date.parse(at);
  return (
    <time dateTime={at} title={fullTime(ms)}>
      {distance(ms, now)}
    </time>
  );
}
