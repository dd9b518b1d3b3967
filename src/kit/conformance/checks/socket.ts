import { asObject } from '../../../backend/protocol.js';
import type { ConformanceRun } from '../ConformanceRun.js';
import { type ConformanceCheck, judge, latencyOf, skip } from '../check.js';
import { describeDial, type ProbeSocket } from '../ProbeSocket.js';
import { clip, described } from '../request.js';

/** How many pings are sent, one after the other and then at once. */
const PINGS = 10;

const SIGNED = ['auth.socket.signed'];

/** What a socket must do from its opening to its end. */
export const SOCKET: readonly ConformanceCheck[] = [
  {
    id: 'socket.plain-get',
    clause: 'P3.2',
    title: 'a plain GET of /edge/ws is answered with "upgrade required"',
    expected: '426',
    run: async (run) => {
      const answer = await run.get('/edge/ws');
      return judge(
        answer.kind === 'answered' && answer.status === 426,
        'GET /edge/ws without Upgrade',
        described(answer),
      );
    },
  },
  {
    id: 'socket.greeting',
    clause: 'P3.3',
    title: 'the first frames can be read',
    expected: 'frames that are JSON objects with a type; accepts, if there is one, a list of names',
    needs: SIGNED,
    run: async (run) => {
      const socket = await run.connect();
      const odd = socket.seen.find(({ frame, text }) => frame.type === 'malformed' || !readableAccepts(text));
      const types = socket.seen.map(({ frame }) => frame.type).join(', ');
      return judge(
        odd === undefined,
        'a dial and a ping',
        clip(odd?.text ?? (types === '' ? 'nothing' : types)),
      );
    },
  },
  {
    id: 'keepalive.pong',
    clause: 'P3.4',
    title: 'a ping is answered',
    expected: 'a pong within 5 s',
    needs: SIGNED,
    run: async (run) => {
      const socket = await run.connect();
      const times: number[] = [];
      while (times.length < PINGS) {
        const ms = await socket.ping(run.patience.answerMs);
        if (ms === undefined) break;
        times.push(ms);
      }
      const latency = times.length === 0 ? undefined : latencyOf(times);
      const words = latency ? `, p50 ${latency.p50_ms} ms, longest ${latency.longest_ms} ms` : '';
      return judge(
        times.length === PINGS,
        `${PINGS} × {"type":"ping"}, one after the other`,
        `${times.length} pongs${words}${closing(socket.closed)}`,
        latency,
      );
    },
  },
  {
    id: 'keepalive.each',
    clause: 'P3.4',
    title: 'each ping gets its own pong',
    expected: 'as many pongs as pings',
    needs: ['keepalive.pong'],
    run: async (run) => {
      const socket = await run.connect();
      for (let sent = 0; sent < PINGS; sent += 1) socket.send({ type: 'ping' });
      // Another ping was sent when the socket was opened, whose pong may still be on its way.
      const pongs = () => socket.seen.filter(({ frame }) => frame.type === 'pong').length - 1;
      await socket.until(() => (pongs() >= PINGS ? true : undefined), run.patience.answerMs);
      await socket.until(() => (pongs() > PINGS ? true : undefined), run.patience.quietMs);
      return judge(pongs() === PINGS, `${PINGS} × {"type":"ping"} at once`, `${pongs()} pongs`);
    },
  },
  {
    id: 'keepalive.control',
    clause: 'P3.7',
    title: 'a ping of RFC 6455 is answered',
    expected: 'a pong of RFC 6455 within 4 s',
    needs: SIGNED,
    run: async (run) => {
      const socket = await run.connect();
      socket.controlPing();
      const came = await socket.until(
        () => (socket.controlPongs > 0 ? true : undefined),
        Math.min(4_000, run.patience.answerMs),
      );
      return judge(
        came === true,
        'a ping control frame',
        came ? 'its pong' : `nothing${closing(socket.closed)}`,
      );
    },
  },
  {
    id: 'frames.unknown',
    clause: 'P3.6',
    title: 'a frame of an unknown type does not close the connection',
    expected: 'the socket stays open; an error frame is welcome',
    needs: SIGNED,
    run: async (run) => {
      const socket = await run.connect();
      const from = socket.seen.length;
      socket.send({ type: 'conformance_unknown', data: { hello: 1 } });
      const closed = await closedAfter(run, socket);
      const heard = socket.seen
        .slice(from)
        .flatMap(({ frame, text }) => (frame.type === 'pong' ? [] : [text]));
      return judge(
        closed === undefined,
        '{"type":"conformance_unknown",…}',
        clip(`${heard.join(' ') || 'no answer'}${closing(closed)}`),
      );
    },
  },
  {
    id: 'frames.status',
    clause: 'P9.1',
    title: 'a status is accepted or ignored',
    expected: 'the socket stays open',
    needs: SIGNED,
    unless: ['frames.unknown'],
    run: async (run) => {
      const socket = await run.connect();
      const data = { schema: 1, version: 'conformance', state: 'healthy', problems: [], uptime_seconds: 1 };
      socket.send({ type: 'status', data, timestamp: new Date(run.clock.now()).toISOString() });
      const closed = await closedAfter(run, socket);
      return judge(closed === undefined, 'a status frame', closed ? closing(closed).slice(2) : 'still open');
    },
  },
  {
    id: 'socket.replaced',
    clause: 'P3.8',
    title: 'a second connection replaces the first',
    expected: 'the first is closed with 4409, the second stays open',
    needs: SIGNED,
    run: async (run) => {
      const first = await run.connect();
      const dial = await run.dial();
      const closed = await first.untilClosed(run.patience.answerMs);
      const second = dial.kind === 'open' && dial.socket.open;
      return judge(
        closed?.code === 4409 && second,
        'a second dial with the same id',
        `first: ${closed ? `closed with ${closed.code}` : 'left open'}; second: ${describeDial(dial)}`,
      );
    },
  },
  {
    id: 'socket.idle',
    clause: 'P3.9',
    title: 'a silent agent is tolerated for 60 s',
    expected: 'the socket stays open for 60 s; it may be closed after that',
    needs: SIGNED,
    run: async (run) => {
      if (!run.slow) return skip('takes more than 60 s; --slow runs it');
      const socket = await run.connect();
      const from = run.clock.monotonic();
      const { idleMs, answerMs } = run.patience;
      // A little less than the limit: the backend counts from what it read last, as we do from what we sent.
      await socket.untilClosed(idleMs - Math.min(1_000, idleMs / 10));
      const early = socket.closed;
      const closed = early ?? (await socket.untilClosed(answerMs * 2));
      const seconds = Math.round((run.clock.monotonic() - from) / 1_000);
      const came = closed ? `closed with ${closed.code} after ${seconds} s` : `still open after ${seconds} s`;
      return judge(early === undefined, 'nothing', came);
    },
  },
];

/** How it has closed once it has read what was sent to it, as the pong to a ping behind that tells; undefined: it is open. */
async function closedAfter(run: ConformanceRun, socket: ProbeSocket): Promise<ProbeSocket['closed']> {
  await socket.ping(run.patience.answerMs);
  return socket.untilClosed(run.patience.quietMs);
}

function readableAccepts(text: string): boolean {
  const frame = asObject(parse(text));
  const accepts = asObject(frame?.data)?.accepts ?? frame?.accepts;
  return accepts === undefined || (Array.isArray(accepts) && accepts.every((one) => typeof one === 'string'));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Then it is malformed, which the caller has seen already.
    return undefined;
  }
}

function closing(closed: { code: number; reason: string } | undefined): string {
  if (closed === undefined) return '';
  return `; closed with ${closed.code}${closed.reason === '' ? '' : ` (${closed.reason})`}`;
}
