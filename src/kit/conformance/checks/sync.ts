import { asObject, parseSyncReply } from '../../../backend/protocol.js';
import type { ConformanceRun } from '../ConformanceRun.js';
import { type ConformanceCheck, type ConformanceOutcome, judge, skip } from '../check.js';
import { clip, described, succeeded } from '../request.js';
import { registration } from './registration.js';

/** Sync and events. */
export const SYNC: readonly ConformanceCheck[] = [
  {
    id: 'sync.shape',
    clause: 'P6.1',
    title: 'the reply to a sync can be read',
    expected:
      '2xx with a JSON object: commands with ids, ack_events and ack_commands lists, config_updates an object',
    needs: ['auth.http.signed'],
    run: async (run) => {
      const answer = await run.sync();
      const reply = succeeded(answer) ? asObject(answer.json) : undefined;
      const lists = ['commands', 'ack_events', 'ack_commands'];
      const holds =
        reply !== undefined &&
        lists.every((key) => absent(reply[key]) || Array.isArray(reply[key])) &&
        (absent(reply.config_updates) || asObject(reply.config_updates) !== undefined) &&
        parseSyncReply(reply)?.dropped === 0;
      return judge(holds, 'POST /edge/sync', described(answer));
    },
  },
  {
    id: 'sync.events',
    clause: 'P6.2',
    title: 'an event in a sync is acknowledged',
    expected: 'its event_id in ack_events',
    needs: ['sync.shape'],
    run: (run) => acknowledged(run, [event(run)], 1),
  },
  {
    id: 'sync.events.repeat',
    clause: 'P0.1',
    title: 'a repeated event is acknowledged again',
    expected: 'its event_id in ack_events of both replies',
    needs: ['sync.events'],
    run: (run) => acknowledged(run, [event(run)], 2),
  },
  {
    id: 'events.socket',
    clause: 'P8.1',
    title: 'an event by the socket is accepted, if the backend accepts event frames',
    expected: 'a pong to the ping that follows it, and no error frame',
    needs: ['keepalive.pong'],
    run: async (run) => {
      const socket = await run.connect();
      const greeting = socket.seen.map(({ frame }) => (frame.type === 'connected' ? frame.accepts : null));
      const accepts = greeting.find((list) => list !== null) ?? (await acceptedByRegistration(run));
      if (!accepts.includes('event')) {
        return skip(
          'the backend does not list event in accepts, so events are sent in syncs, which is allowed',
        );
      }
      const from = socket.seen.length;
      socket.send({ type: 'event', data: event(run) });
      const pong = await socket.ping(run.patience.answerMs);
      const error = socket.seen
        .slice(from)
        .find(({ frame }) => frame.type === 'notice' && frame.name === 'error');
      const came = error ? clip(error.text) : pong === undefined ? 'no pong' : 'pong';
      return judge(error === undefined && pong !== undefined, 'an event frame, then a ping', came);
    },
  },
];

/** One that the backend has not had. */
export function event(run: ConformanceRun): { event_id: string } & Record<string, unknown> {
  return {
    event_id: `evt_conformance_${run.fresh()}`,
    event_type: 'message_delivered',
    thread_id: run.target.person,
    details: { message_guid: run.fresh() },
    timestamp: new Date(run.clock.now()).toISOString(),
  };
}

async function acknowledged(
  run: ConformanceRun,
  events: readonly { event_id: string }[],
  times: number,
): Promise<ConformanceOutcome> {
  const sent = `POST /edge/sync with an event in pending_events${times > 1 ? `, ${times} times` : ''}`;
  let came = '';
  for (let time = 0; time < times; time += 1) {
    const answer = await run.sync({ events });
    const listed = succeeded(answer) ? (parseSyncReply(answer.json)?.ackEvents ?? []) : [];
    came = described(answer);
    if (!events.every(({ event_id }) => listed.includes(event_id))) return judge(false, sent, came);
  }
  return judge(true, sent, came);
}

async function acceptedByRegistration(run: ConformanceRun): Promise<readonly string[]> {
  const answer = await run.post('/edge/register', registration(run));
  const accepts = succeeded(answer) ? asObject(answer.json)?.accepts : undefined;
  return Array.isArray(accepts) ? accepts.map(String) : [];
}

function absent(value: unknown): boolean {
  return value === undefined || value === null;
}
