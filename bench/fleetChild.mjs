// Many agents in a separate process. Requests come by IPC, each with its answer.

import { once } from 'node:events';
import { WebSocket } from 'ws';
import { median, nowMs, percentile } from './figures.mjs';
import { SimulatedAgents } from './SimulatedAgents.mjs';

const ROUND_TRIPS = 300;

let agents;

const ORDERS = {
  /** `urls`: agents are spread over them in turn. */
  async connect({ urls, secret, count, isPersistent }) {
    agents = new SimulatedAgents(urls, secret, count, isPersistent);
    await agents.connect();
    return { ids: agents.ids };
  },
  async connected() {
    return { connected: agents.connected, refused: agents.mostRefused };
  },
  /** From now on lost sockets come back here. */
  async lead({ urls }) {
    agents.urls = urls;
    return {};
  },
  async report() {
    const { arrivals, strays, proofs } = agents;
    return { arrivals: arrivals.size, strays, p50: median(proofs), p99: percentile(proofs, 0.99) };
  },
  async close() {
    await agents.close();
    return {};
  },
  /** One round trip of a frame over a WebSocket to a server that does nothing else, median, ms. */
  async roundTrip({ url }) {
    const socket = new WebSocket(url, { perMessageDeflate: false });
    await once(socket, 'open');
    const times = [];
    for (let count = 0; count < ROUND_TRIPS; count++) {
      const began = nowMs();
      socket.send('{"type":"ping"}');
      await once(socket, 'message');
      times.push(nowMs() - began);
    }
    socket.close();
    return { ms: median(times) };
  },
};

process.on('message', async ({ id, order, ...rest }) => {
  try {
    process.send({ id, answer: await ORDERS[order](rest) });
  } catch (error) {
    process.send({ id, error: String(error) });
  }
});
process.on('disconnect', () => process.exit());
