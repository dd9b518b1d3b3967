import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { MessageDispatcher } from '../../src/incoming/MessageDispatcher.js';
import { systemClock } from '../../src/system/clock.js';
import { certificate } from '../support/certificate.js';
import { outboundBy } from '../support/outbound.js';
import { makeBackend } from '../support/startBackend.js';
import { until } from '../support/until.js';

/** What the way does to one connection, in the order in which they are opened. */
interface Treatment {
  /** Nothing passes for so long. */
  holdMs?: number;
  /** Ends it with a reset after so many bytes of the request. */
  resetAfter?: number;
  /** The request trickles: so many bytes a second. */
  bytesPerSecond?: number;
}
/** What the backend does with one request, in the order in which they arrive. */
interface Handling {
  thinkMs?: number;
  status?: number;
  /** Closes the kept connection that long after the answer. */
  closeAfterMs?: number;
}

interface Arrival {
  guid: string;
  sequence: number;
  at: number;
}

const later = (ms: number, run: () => void) => {
  const timer = setTimeout(run, ms);
  onTestFinished(() => clearTimeout(timer));
};

/** A real backend behind a way with faults of its own, and an agent's forwarder that posts to it. */
async function wire(
  treatments: readonly Treatment[],
  { handlings = [], tls: isSecure = false }: { handlings?: readonly Handling[]; tls?: boolean } = {},
) {
  const arrivals: Arrival[] = [];
  let requests = 0;
  const listener: RequestListener = async (request, response) => {
    const chunks = await request.toArray().catch(() => undefined);
    // Its sender was cut off, as some of these tests want it, or has ended with its test.
    if (chunks === undefined) return;
    const body = JSON.parse(Buffer.concat(chunks).toString());
    const { thinkMs = 0, status = 200, closeAfterMs } = handlings[requests++] ?? {};
    arrivals.push({ guid: body.message_guid, sequence: body.sequence, at: performance.now() });
    later(thinkMs, () => {
      response.writeHead(status, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify({ should_respond: true, reply_text: `re: ${body.message_guid}` }));
      if (closeAfterMs !== undefined) later(closeAfterMs, () => request.socket.destroy());
    });
  };
  const pair = certificate();
  const server = isSecure ? createTlsServer(pair, listener) : createServer(listener);
  await listening(server);
  const port = await faultyWay((server.address() as AddressInfo).port, treatments);
  const url = isSecure ? `https://localhost:${port}` : `http://127.0.0.1:${port}`;
  const running = makeBackend(
    { url, happened: () => undefined },
    {
      settings: { requestTimeoutSeconds: 20 },
      options: isSecure ? { outbound: outboundBy({ ca: pair.cert }) } : {},
    },
  );
  const { store, backend } = running;
  const replies: string[] = [];
  const forwarder = new MessageDispatcher({
    store,
    backend: {
      postMessage: (body, guid, progress) => backend.postMessage(body, guid, progress),
    },
    replies: { enqueue: ({ text }) => store.afterCommit(() => replies.push(text)) },
    clock: systemClock,
    random: () => 0,
    log: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
    worthAnswering: () => true,
    settings: () => ({ bubbleDelayMs: 0 }),
  });
  forwarder.start();
  onTestFinished(async () => {
    void forwarder.stop();
    await running.stop();
  });
  const arrive = (guid: string, text = guid) =>
    store.write(() =>
      store.incoming.add({
        ...{ guid, rowId: 1, conversation: 'ann', threadId: 'ann', chatGuid: 'ann', sender: 'ann', text },
        ...{ sentAt: Date.now(), isGroup: false, participants: [], service: 'iMessage' },
        ...{ replyToGuid: null, attachments: [] },
      }),
    );
  return { arrive, arrivals, replies, store };
}

async function listening(server: Server): Promise<void> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
  });
}

async function faultyWay(target: number, treatments: readonly Treatment[]): Promise<number> {
  let opened = 0;
  const proxy = createTcpServer((client) => {
    const treatment = treatments[opened++] ?? {};
    const backend = connect(target, '127.0.0.1');
    for (const [from, to] of [
      [client, backend],
      [backend, client],
    ] as const) {
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
      onTestFinished(() => {
        from.destroy();
      });
    }
    later(treatment.holdMs ?? 0, () => {
      backend.on('data', (chunk) => client.write(chunk));
      pass(client, backend, treatment);
    });
  });
  await listening(proxy);
  return (proxy.address() as AddressInfo).port;
}

function pass(client: Socket, backend: Socket, { resetAfter, bytesPerSecond }: Treatment): void {
  let passed = 0;
  client.on('data', (chunk: Buffer) => {
    passed += chunk.length;
    if (resetAfter !== undefined && passed >= resetAfter) {
      client.resetAndDestroy();
      return;
    }
    backend.write(chunk);
    if (bytesPerSecond === undefined) return;
    client.pause();
    later((chunk.length / bytesPerSecond) * 1_000, () => client.resume());
  });
}

const GUIDS = ['m1', 'm2', 'm3', 'm4'];

describe('messages of one conversation arrive and are answered in order', { concurrent: false }, () => {
  test.each<[string, readonly Treatment[], { handlings?: readonly Handling[]; tls?: boolean }]>([
    ['whatever each connection takes', [{ holdMs: 400 }, {}, { holdMs: 150 }, {}], {}],
    ['when the first connection is reset before the request is through', [{ resetAfter: 1 }, {}, {}], {}],
    [
      'when the handshake of the first connection takes longer than two seconds',
      [{ holdMs: 2_600 }, {}, {}],
      { tls: true },
    ],
    ['when the backend fails the first one', [], { handlings: [{ status: 500 }, {}, {}] }],
    [
      'when the backend closes each kept connection',
      [],
      { handlings: GUIDS.map(() => ({ closeAfterMs: 0 })) },
    ],
    ['when one is answered later than the next one', [], { handlings: [{ thinkMs: 3_500 }, {}, {}] }],
    ['when a repeat is answered slowly', [], { handlings: [{ status: 503 }, { thinkMs: 3_000 }, {}] }],
  ])('%s', async (_, treatments, options) => {
    const { arrive, arrivals, replies } = await wire(treatments, options);
    for (const guid of GUIDS) arrive(guid);
    await until(
      () => replies.length === GUIDS.length,
      () => `all replies, not ${replies}`,
    );
    const firsts = arrivals.filter(
      ({ guid }, index) => arrivals.findIndex((one) => one.guid === guid) === index,
    );
    expect(firsts.map(({ guid, sequence }) => [guid, sequence])).toEqual(
      GUIDS.map((guid, index) => [guid, index + 1]),
    );
    expect(new Set(arrivals.map(({ guid, sequence }) => `${guid} ${sequence}`)).size).toBe(GUIDS.length);
    expect(replies).toEqual(GUIDS.map((guid) => `re: ${guid}`));
  });

  test('and a slow answer delays the next one by two seconds', {}, async () => {
    const { arrive, arrivals } = await wire([], { handlings: [{ thinkMs: 15_000 }, { thinkMs: 15_000 }] });
    for (const guid of GUIDS.slice(0, 3)) arrive(guid);
    await until(
      () => arrivals.length === 3,
      () => 'every message',
    );
    const gaps = arrivals.slice(1).map(({ at }, index) => at - (arrivals[index]?.at ?? 0));
    // The two seconds themselves are tested on a fake clock; here it counts that the overlap is theirs, not that of a race.
    for (const gap of gaps) expect(gap).toBeGreaterThan(1_000);
  });

  test('and a message that is large and slow to write delays the next one until it is written', {}, async () => {
    const { arrive, arrivals } = await wire([{ bytesPerSecond: 12_000_000 }]);
    arrive('large', 'x'.repeat(16_000_000));
    arrive('small');
    await until(
      () => arrivals.length === 2,
      () => 'every message',
    );
    expect(arrivals.map(({ guid }) => guid)).toEqual(['large', 'small']);
  });
});
