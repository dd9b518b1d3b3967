import { describe, expect, onTestFinished, test } from 'vitest';
import { mintToken } from '../../../src/backend/credentials.js';
import { echo } from '../../../src/kit/backend/persona.js';
import { SimulatedBackend } from '../../../src/kit/backend/SimulatedBackend.js';
import { sized } from '../../support/size.js';
import { AGENT, failures, judgeBackend, OTHER, SECRET, withVerdict } from './judgeBackend.js';
import { type Defect, type Json, MutantBackend, type Pair, type PassingRequest } from './MutantBackend.js';

const dataOf = (frame: Json) => frame.data as Json;
const isCommand = (frame: Json) => frame.type === 'command';
const isReflex = (frame: Json) =>
  isCommand(frame) && (dataOf(frame).payload as Json).bubble_type === 'reflex';
const freshToken = () => `Bearer ${mintToken(SECRET, AGENT.id, AGENT.phone, Date.now())}`;
const ackAtOnce = ({ backend }: Pair, frame: Json) =>
  backend.send(
    JSON.stringify({
      type: 'command_ack',
      data: { command_id: dataOf(frame).command_id, status: 'completed', success: true },
    }),
  );

/** When a bearer token was made, in Unix seconds. */
const madeAt = (authorization: string | undefined) => {
  return Number(/:(\d+):[0-9a-f]{64}$/.exec(tokenIn(authorization))?.[1]);
};
const tokenIn = (authorization: string | undefined) =>
  Buffer.from(authorization?.slice(7) ?? '', 'base64').toString();
const nameIn = (authorization: string | undefined) => tokenIn(authorization).split(':')[0];
const isForged = (authorization: string | undefined) => {
  const [id = '', phone = '', seconds] = tokenIn(authorization).split(':');
  if (seconds === undefined || Date.now() / 1_000 - Number(seconds) > 3_600) return false;
  return authorization !== `Bearer ${mintToken(SECRET, id, phone, Number(seconds) * 1_000)}`;
};
/** Whether the backend behind accepts their credentials: a mutant's defect is not this, unless stated. */
const isAdmitted = (headers: Record<string, string>) => {
  const { authorization } = headers;
  const isFresh = Math.abs(ageOf(authorization)) < 86_400;
  return isFresh && !isForged(authorization) && nameIn(authorization) === headers['x-edge-agent-id'];
};
const ageOf = (authorization: string | undefined) => Date.now() / 1_000 - madeAt(authorization);
const withCommand = (frame: Json, parts: Json) =>
  isCommand(frame) ? [{ ...frame, data: { ...dataOf(frame), ...parts } }] : [frame];

/** What a backend may do wrong, created for each test, and the one check that must notice. */
const DEFECTS: Record<string, { fails: string; make: () => Defect }> = {
  'leaves pings unanswered': {
    fails: 'keepalive.pong',
    make: () => ({ down: (frame) => (frame.type === 'pong' ? [] : [frame]) }),
  },
  'answers only one of several pings': {
    fails: 'keepalive.each',
    make: () => {
      const busy = new Set<Pair>();
      return {
        up: (frame, pair) => {
          if (frame.type !== 'ping') return [frame];
          const first = !busy.has(pair);
          busy.add(pair);
          return first ? [frame] : [];
        },
        down: (frame, pair) => {
          if (frame.type === 'pong') busy.delete(pair);
          return [frame];
        },
      };
    },
  },
  'closes with 1011 where the Authorization header is missing': {
    fails: 'auth.socket.missing',
    make: () => ({ close: (code) => (code === 4001 ? 1011 : code) }),
  },
  'takes requests without credentials': {
    fails: 'auth.http.missing',
    make: () => ({
      request: ({ path, headers }) => {
        if (path === '/edge/sync') headers.authorization ??= freshToken();
        return undefined;
      },
    }),
  },
  ...Object.fromEntries(
    [
      ['register', '/edge/register'],
      ['message', '/edge/message'],
      ['ack', '/edge/command/ack'],
      ['upload', '/photo/upload'],
    ].flatMap(([name = '', at]) => [
      [
        `takes ${at} from anybody without credentials`,
        {
          fails: `auth.${name}.missing`,
          make: (): Defect => ({
            request: ({ path, headers }) => {
              if (path === at) headers.authorization ??= freshToken();
              return undefined;
            },
          }),
        },
      ],
      [
        `takes a forged token at ${at}`,
        {
          fails: `auth.${name}.forged`,
          make: (): Defect => ({
            request: ({ path, headers }) => {
              if (path === at && isForged(headers.authorization)) headers.authorization = freshToken();
              return undefined;
            },
          }),
        },
      ],
      [
        `takes another agent's token at ${at}`,
        {
          fails: `auth.${name}.foreign`,
          make: (): Defect => ({
            request: ({ path, headers }) => {
              const isOther = nameIn(headers.authorization) === OTHER.id;
              if (path === at && isOther && headers['x-edge-agent-id'] === AGENT.id)
                headers.authorization = freshToken();
              return undefined;
            },
          }),
        },
      ],
    ]),
  ),
  'offers the newest command first': {
    fails: 'redelivery.order',
    make: (offered = new Map<Pair, Json[]>(), settled = new Set<Pair>()) => ({
      reply: ({ path }, { body }) => {
        if (path === '/edge/sync' && Array.isArray(body.commands)) body.commands.reverse();
      },
      // To a new socket alone: it is new until it had a pong.
      down: (frame, pair) => {
        const waiting = offered.get(pair) ?? [];
        if (frame.type === 'pong' && !settled.has(pair)) {
          settled.add(pair);
          return [...waiting.toReversed(), frame];
        }
        if (!isCommand(frame) || settled.has(pair)) return [frame];
        offered.set(pair, [...waiting, frame]);
        return [];
      },
    }),
  },
  'pushes every second command before the one that came first': {
    fails: 'push.order',
    make: () => {
      const held = new Map<Pair, Json>();
      return {
        down: (frame, pair) => {
          if (!isCommand(frame) || isReflex(frame)) return [frame];
          const before = held.get(pair);
          if (before !== undefined) {
            held.delete(pair);
            return [frame, before];
          }
          held.set(pair, frame);
          // Nothing is held back permanently.
          setTimeout(() => {
            if (held.get(pair) !== frame) return;
            held.delete(pair);
            pair.agent.send(JSON.stringify(frame));
          }, 100);
          return [];
        },
      };
    },
  },
  'takes syncs of 100 kB at most': {
    fails: 'size.sync',
    make: () => ({
      request: ({ path, body }) =>
        path === '/edge/sync' && body.length > 102_400 && body.length < 2_000_000
          ? { status: 413, body: { error: 'too large' } }
          : undefined,
    }),
  },
  'takes messages of 100 kB at most': {
    fails: 'size.message',
    make: () => ({
      request: ({ path, body }) =>
        path === '/edge/message' && body.length > 102_400
          ? { status: 413, body: { error: 'too large' } }
          : undefined,
    }),
  },
  'answers a body that is too large with 500': {
    fails: 'size.too-large',
    make: () => ({
      request: ({ body }) =>
        body.length > 2_000_000 ? { status: 500, body: { error: 'internal' } } : undefined,
    }),
  },
  'takes a token of any age on the socket': {
    fails: 'auth.socket.expired',
    make: () => ({
      handshake: (headers) => {
        if (ageOf(headers.authorization) > 86_400) headers.authorization = freshToken();
      },
    }),
  },
  'takes a token for nine days': {
    fails: 'auth.http.expired',
    make: () => ({
      request: ({ path, headers }) => {
        const age = path === '/edge/sync' ? ageOf(headers.authorization) : 0;
        if (age > 86_400 && age < 9 * 86_400) headers.authorization = freshToken();
        return undefined;
      },
    }),
  },
  'bears no clock that is ahead of its own': {
    fails: 'auth.http.ahead',
    make: () => ({
      request: ({ headers }) =>
        ageOf(headers.authorization) < -1 ? { status: 403, body: { error: 'from the future' } } : undefined,
    }),
  },
  'answers a plain GET with 404': {
    fails: 'socket.plain-get',
    make: () => ({
      request: ({ path }) =>
        path === '/edge/ws' ? { status: 404, body: { error: 'not found' } } : undefined,
    }),
  },
  'closes on a frame that it does not know': {
    fails: 'frames.unknown',
    make: () => ({
      up: (frame, { agent }) => {
        if (frame.type === 'conformance_unknown') agent.close(1003);
        return [frame];
      },
    }),
  },
  'writes commands as binary frames': {
    fails: 'push.envelope',
    make: () => ({ isBinary: isCommand }),
  },
  'greets with a binary frame': {
    fails: 'socket.greeting',
    make: () => ({ isBinary: (frame) => frame.type === 'connected' }),
  },
  'has a name of its own for the command': {
    fails: 'push.envelope',
    make: () => ({ down: (frame) => withCommand(frame, { command_type: 'send_msg' }) }),
  },
  'gives a command the time of two hours ago': {
    fails: 'push.envelope',
    make: () => ({
      down: (frame) => withCommand(frame, { timestamp: new Date(Date.now() - 7_200_000).toISOString() }),
    }),
  },
  'asks for a kind of bubble that no agent knows': {
    fails: 'push.envelope',
    make: () => ({
      down: (frame) =>
        isCommand(frame)
          ? withCommand(frame, { payload: { ...Object(dataOf(frame).payload), bubble_type: 'loud' } })
          : [frame],
    }),
  },
  'gives a reflex a time at which it is of no use any more': {
    fails: 'message.reflex',
    make: () => ({
      down: (frame) =>
        isReflex(frame)
          ? withCommand(frame, { timestamp: new Date(Date.now() - 900_000).toISOString() })
          : [frame],
    }),
  },
  "lets one agent's ack clear another agent's command": {
    fails: 'ack.foreign',
    make: () => ({
      request: ({ path, headers }) => {
        if (path === '/edge/command/ack' && isAdmitted(headers)) {
          headers['x-edge-agent-id'] = AGENT.id;
          headers.authorization = freshToken();
        }
        return undefined;
      },
    }),
  },
  'compares the Idempotency-Key as it comes': {
    fails: 'message.key',
    make: () => ({
      request: ({ path, headers, body }) =>
        path === '/edge/message' && headers['idempotency-key'] !== JSON.parse(body).message_guid
          ? { status: 400, body: { error: 'the guids differ' } }
          : undefined,
    }),
  },
  'writes the command under payload without an id': {
    fails: 'push.envelope',
    make: () => ({
      down: (frame) => {
        if (!isCommand(frame)) return [frame];
        const { command_id: _, ...payload } = dataOf(frame);
        return [{ type: 'command', payload }];
      },
    }),
  },
  'rejects an ack that has more keys than it knows': {
    fails: 'ack.socket',
    make: () => ({
      up: (frame, { agent }) => {
        const isWide = frame.type === 'command_ack' && 'revision' in dataOf(frame);
        if (isWide) agent.send('{"type":"error","data":{"error":"unknown key: revision"}}');
        return isWide ? [] : [frame];
      },
    }),
  },
  'answers an ack for an unknown command with 404': {
    fails: 'ack.unknown',
    make: () => ({
      request: ({ path, headers, body }) =>
        path.includes('ack') && body.includes('cmd_conformance_') && isAdmitted(headers)
          ? { status: 404, body: { error: 'no such command' } }
          : undefined,
    }),
  },
  'forgets a command once it was written to a socket': {
    fails: 'redelivery.reconnect',
    make: () => ({
      down: (frame, pair) => {
        if (isCommand(frame)) ackAtOnce(pair, frame);
        return [frame];
      },
    }),
  },
  'drops a command for an agent that is away': {
    fails: 'redelivery.offline',
    make: () => {
      const live = new Set<Pair>();
      const isAway = (id: unknown) => ![...live].some(({ agentId }) => agentId === id);
      return {
        joined: (pair) => {
          live.add(pair);
          pair.agent.on('close', () => live.delete(pair));
        },
        request: ({ path, body }) =>
          path === '/api/send-message' && isAway(JSON.parse(body).edge_agent_id)
            ? { status: 200, body: { success: true } }
            : undefined,
      };
    },
  },
  'gives two commands one id': {
    fails: 'push.ids',
    make: () => {
      const ids = new Map<unknown, unknown>();
      let asked = 0;
      // Only the two texts of the check itself: an id for both would confuse everything that is distinguished by ids.
      return {
        request: ({ path }) => {
          if (path === '/api/send-message') asked += 1;
          return undefined;
        },
        down: (frame) => {
          if (!isCommand(frame) || asked < 7 || asked > 8) return [frame];
          const id = dataOf(frame).command_id;
          ids.set('first', ids.get('first') ?? id);
          return [{ ...frame, data: { ...dataOf(frame), command_id: ids.get('first') } }];
        },
      };
    },
  },
  'sends the reflex to another agent': {
    fails: 'message.reflex',
    make: () => ({
      down: (frame, { agentId, all }) => {
        if (!isReflex(frame)) return [frame];
        const wrong = all.findLast((pair) => pair.agentId !== agentId && pair.agent.readyState === 1);
        wrong?.agent.send(JSON.stringify(frame));
        return [];
      },
    }),
  },
  'names its reflex after another message': {
    fails: 'message.reflex',
    make: () => ({
      down: (frame) =>
        isReflex(frame)
          ? withCommand(frame, { payload: { ...(dataOf(frame).payload as Json), in_reply_to: 'row-17' } })
          : [frame],
    }),
  },
  'sends the reflex to no agent': {
    fails: 'message.reflex',
    make: () => ({ down: (frame) => (isReflex(frame) ? [] : [frame]) }),
  },
  'answers a message again each time it is posted': {
    fails: 'message.repeat',
    make: () => {
      let posted = 0;
      return {
        request: (request) => {
          if (request.path !== '/edge/message') return undefined;
          posted += 1;
          const guid = `guid-${posted}`;
          request.headers['idempotency-key'] = guid;
          request.body = JSON.stringify({ ...JSON.parse(request.body), message_guid: guid });
          return undefined;
        },
      };
    },
  },
  'leaves the first of two connections open': {
    fails: 'socket.replaced',
    make: () => ({ close: (code) => (code === 4409 ? undefined : code) }),
  },
  'forgets the new connection when the old one closes': {
    fails: 'socket.successor',
    make: () => {
      const forgotten = new Set<string>();
      return {
        joined: ({ agent, agentId, all }) => {
          forgotten.delete(agentId);
          const successor = () => all.findLast((pair) => pair.agentId === agentId)?.agent;
          agent.on('close', () => successor() !== agent && forgotten.add(agentId));
        },
        down: (frame, { agentId }) => (isCommand(frame) && forgotten.has(agentId) ? [] : [frame]),
      };
    },
  },
  'does not acknowledge events': {
    fails: 'sync.events',
    make: () => ({ reply: (_request, reply) => delete reply.body.ack_events }),
  },
  'acknowledges an event only the first time': {
    fails: 'sync.events.repeat',
    make: () => {
      const known = new Set<unknown>();
      return {
        reply: (_request, reply) => {
          const events = reply.body.ack_events;
          if (!Array.isArray(events)) return;
          reply.body.ack_events = events.filter((id) => !known.has(id));
          for (const id of events) known.add(id);
        },
      };
    },
  },
  'waits for a number that is missing': {
    fails: 'message.sequence',
    make: () => {
      let newest = 0;
      return {
        request: ({ path, headers, body }) => {
          if (path !== '/edge/message' || !isAdmitted(headers)) return undefined;
          const { sequence } = JSON.parse(body);
          if (sequence > newest + 1) return { status: 503, body: { error: 'the one before is missing' } };
          newest = Math.max(newest, sequence);
          return undefined;
        },
      };
    },
  },
  'takes an old number for a message that it has': {
    fails: 'message.sequence',
    make: () => {
      const guids = new Map<number, string>();
      return {
        request: ({ path, headers, body }) => {
          if (path !== '/edge/message' || !isAdmitted(headers)) return undefined;
          const { sequence, message_guid: guid } = JSON.parse(body);
          const had = guids.get(sequence);
          guids.set(sequence, had ?? guid);
          return had === undefined || had === guid ? undefined : { status: 409, body: { error: 'known' } };
        },
      };
    },
  },
  ...Object.fromEntries(
    [
      {},
      { ok: true },
      { should_respond: true },
      { should_respond: false, error: 'the model is down' },
      { success: false, error: 'x' },
    ].map((body) => [
      `takes a message with 200 and ${JSON.stringify(body)}`,
      {
        fails: 'message.reply',
        make: () => ({
          request: ({ path, headers }: PassingRequest) =>
            path === '/edge/message' && isAdmitted(headers) ? { status: 200, body } : undefined,
        }),
      },
    ]),
  ),
  'knows no field named sequence': {
    fails: 'message.reply',
    make: () => ({
      request: ({ path, headers, body }) =>
        path === '/edge/message' && 'sequence' in JSON.parse(body) && isAdmitted(headers)
          ? { status: 422, body: { error: 'unknown key: sequence' } }
          : undefined,
    }),
  },
  'refuses a message while it thinks about the one before': {
    fails: 'message.overlap',
    make: () => {
      let isThinking = false;
      let asked = 0;
      return {
        request: async ({ path, headers }) => {
          if (path !== '/edge/message' || !isAdmitted(headers)) return undefined;
          if (isThinking) return { status: 503, body: { error: 'one at a time' } };
          asked += 1;
          isThinking = true;
          // Long thoughts for the messages of this check alone: the others would only take longer.
          await new Promise((resolve) => setTimeout(resolve, asked > 9 ? 2_600 : 0));
          isThinking = false;
          return undefined;
        },
      };
    },
  },
  'does not name the acks of a sync': {
    fails: 'ack.sync',
    make: () => ({ reply: (_request, reply) => delete reply.body.ack_commands }),
  },
  'drops an agent that is silent for a moment': {
    fails: 'socket.idle',
    make: () => ({
      joined: ({ agent }) => {
        let timer: NodeJS.Timeout;
        const arm = () => {
          clearTimeout(timer);
          timer = setTimeout(() => agent.close(4408), 800);
        };
        arm();
        agent.on('message', arm);
        agent.on('close', () => clearTimeout(timer));
      },
    }),
  },
};

/** One of each kind of checks: those that are met most. */
const COMMON = [
  'leaves pings unanswered',
  'takes requests without credentials',
  'takes syncs of 100 kB at most',
  'answers a plain GET with 404',
  'closes on a frame that it does not know',
  'writes the command under payload without an id',
  'rejects an ack that has more keys than it knows',
  'forgets a command once it was written to a socket',
  'answers a message again each time it is posted',
  'does not acknowledge events',
];
const TRIED = Object.entries(DEFECTS).filter(([name]) => sized(COMMON, Object.keys(DEFECTS)).includes(name));

test('each kind of check has one defect that is common', () => {
  const kinds = (defects: readonly { fails: string }[]) => defects.map(({ fails }) => fails.split('.')[0]);
  const common = Object.entries(DEFECTS).filter(([name]) => COMMON.includes(name));
  expect(kinds(common.map(([, defect]) => defect)).toSorted()).toEqual(
    [...new Set(kinds(Object.values(DEFECTS)))].toSorted(),
  );
});

describe('a backend with one defect', { concurrent: true }, () => {
  test.for(TRIED)('that %s fails exactly the check for it', async ([, { fails, make }], context) => {
    const good = await SimulatedBackend.start({ port: 0, secret: SECRET, persona: echo });
    const mutant = await MutantBackend.start(good.url, make());
    context.onTestFinished(async () => {
      await mutant.stop();
      await good.stop();
    });
    const slow = fails === 'socket.idle';
    const results = await judgeBackend(
      mutant.url,
      {},
      slow ? { slow, patience: { answerMs: 1_500, quietMs: 250, idleMs: 1_500 } } : {},
    );
    context.expect(withVerdict(results, 'FAIL'), failures(results).join('\n')).toEqual([fails]);
  });
});

/** What a backend may do in its own way. */
function ways(): Defect {
  let count = 0;
  return {
    reply: (_request, { body }) => {
      count += 1;
      body.request_id = `request-${count}`;
    },
    down: (frame) => {
      if (!isCommand(frame)) return [frame];
      const { thread_id, ...payload } = dataOf(frame).payload as Json;
      return withCommand(frame, { payload: { ...payload, chat_guid: `any;-;${thread_id}` } });
    },
  };
}

test('a backend that has request ids in its replies, and the conversation as chat_guid, fails nothing', async () => {
  const good = await SimulatedBackend.start({ port: 0, secret: SECRET, persona: echo });
  const proxy = await MutantBackend.start(good.url, ways());
  onTestFinished(async () => {
    await proxy.stop();
    await good.stop();
  });
  const results = await judgeBackend(proxy.url);
  expect(failures(results)).toEqual([]);
  expect(withVerdict(results, 'SKIP')).toEqual(['transport.tls', 'socket.idle']);
  expect(await good.commands.waiting(OTHER.id)).toEqual([]);
});
