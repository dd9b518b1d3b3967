import { parseSyncReply } from '../../../backend/protocol.js';
import type { ConformanceRun } from '../ConformanceRun.js';
import { type ConformanceCheck, judge } from '../check.js';
import { described, statusOf, succeeded } from '../request.js';
import { postMessage } from './bodies.js';
import { event } from './sync.js';

/** Just below what every backend must take (protocol §6): 1 MiB. */
const TAKEN_BYTES = 1_000_000;
/** More than a backend must accept, and small enough for any server to read. */
const LARGE_BYTES = 4 * 1024 * 1024;

/** Bodies as large as an agent may send them, and larger. */
export const SIZES: readonly ConformanceCheck[] = [
  {
    id: 'size.sync',
    clause: 'P6.4',
    title: 'a sync of nearly 1 MiB is accepted',
    expected: '2xx, with the event in ack_events',
    needs: ['sync.events'],
    run: async (run) => {
      const large = largeEvent(run, TAKEN_BYTES);
      const answer = await run.sync({ events: [large] });
      const acked = succeeded(answer) ? (parseSyncReply(answer.json)?.ackEvents ?? []) : [];
      return judge(
        acked.includes(large.event_id),
        'POST /edge/sync with an event of 1 MB',
        described(answer),
      );
    },
  },
  {
    id: 'size.message',
    clause: 'P6.4',
    title: 'a message of nearly 1 MiB is not refused because of its size',
    expected: 'any answer except 413, and within the time that a reply may take',
    needs: ['message.reply'],
    run: async (run) => {
      // The text is in the body three times.
      const text = 'x'.repeat(TAKEN_BYTES / 3);
      const answer = await postMessage(run, run.fresh(), run.nextSequence(), { text });
      const status = statusOf(answer) ?? 500;
      const holds = status !== 413 && status < 500;
      return judge(holds, 'POST /edge/message with a body of 1 MB', described(answer));
    },
  },
  {
    id: 'size.too-large',
    clause: 'P10.1',
    title: 'a body that is too large is answered, not cut off',
    expected: '2xx, or 413',
    needs: ['sync.events'],
    run: async (run) => {
      const answer = await run.sync({ events: [largeEvent(run, LARGE_BYTES)] });
      const holds = succeeded(answer) || statusOf(answer) === 413;
      return judge(holds, 'POST /edge/sync with an event of 4 MiB', described(answer));
    },
  },
];

function largeEvent(run: ConformanceRun, bytes: number): ReturnType<typeof event> {
  return { ...event(run), details: { conformance: 'x'.repeat(bytes) } };
}
