import { useEffect, useState } from 'preact/hooks';
import type { Answer, LogLine } from '../../monitor-client/index.js';
import { useAnswer } from '../hooks.js';
import { useOperator } from '../operator.js';

const MOST = 1_000;
const FIRST = 300;

/** The last lines of the log, and those that are written from then on. */
export function useLogLines(): Answer<readonly LogLine[]> & { again: () => void } {
  const { client } = useOperator();
  const asked = useAnswer(client, 'logs.tail', { lines: FIRST }, []);
  const [since, setSince] = useState<readonly LogLine[]>([]);
  useEffect(
    () =>
      client.on('event', (event) => {
        if (event.topic === 'logs') setSince((lines) => [...lines, event].slice(-MOST));
      }),
    [client],
  );
  if (asked.state === 'loading' || asked.value === undefined) return asked;
  // A line may come both ways: what was asked for has it, and then what was told live is not newer than its end.
  const last = asked.value.at(-1)?.at ?? '';
  return { ...asked, value: [...asked.value, ...since.filter(({ at }) => at > last)].slice(-MOST) };
}
