import { useEffect, useState } from 'preact/hooks';
import type { Answer, LogLine } from '../../monitor-client/index.js';
import { useAnswer } from '../hooks.js';
import { useOperator } from '../operator.js';
import { joined } from './logLines.js';

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
  return { ...asked, value: joined(asked.value, since).slice(-MOST) };
}
