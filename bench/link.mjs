import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { nowMs } from './figures.mjs';
import { LinkFaultyServer } from './linkFaultyServer.mjs';

const CLIENT = fileURLToPath(new URL('./linkClient.mjs', import.meta.url));
const LASTS_MS = 75_000;
const MOST_CONNECTS = 8;
const MOST_REFUSED = 3;
const FROZEN_MS = 12_000;
const FIRST_DEADLINE_MS = 5_000;

/** Each fault, and how it is judged. */
const FAULTS = [
  { what: 'flap: accepted, closed with 1013 after 20 ms', close: 1013, judge: flapping },
  { what: 'flap: closed with 1012', close: 1012, judge: flapping },
  {
    what: 'flap: closed with 1011',
    close: 1011,
    judge: flapping,
  },
  {
    what: 'hang: the upgrade is never answered',
    hang: true,
    judge: hanging,
  },
  {
    what: 'half-open: reads and answers nothing any more',
    // Ms from an answered ping to the freeze, each with its own agent: the first has the longest wait.
    phases: [0, 1_500, 3_000, 4_500],
    judge: freezing,
  },
  { what: '401 to everything', status: 401, judge: refused },
  { what: 'accepted, closed with 4001 after 20 ms', close: 4001, judge: refused },
  { what: 'accepted, never a pong nor a frame', pongs: false, judge: flapping },
];

/**
 * Eight faults in parallel, each with its own backends and agent processes, for 75 s of real time with no wait
 * shortened. If an agent crashes, or does not stop on request, its fault fails.
 */
export async function run() {
  const trials = await Promise.all(
    FAULTS.map((fault) => {
      const variants = fault.phases?.map((freezeAfterMs) => ({ ...fault, freezeAfterMs })) ?? [fault];
      return Promise.all(variants.map(openTrial));
    }),
  );
  await pause(LASTS_MS);
  const found = await Promise.all(trials.map((variants) => Promise.all(variants.map(close))));
  return FAULTS.map((fault, i) => rowOf(fault, found[i]));
}

async function openTrial(fault) {
  const server = await LinkFaultyServer.open(fault);
  const client = fork(CLIENT, [server.url], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const exited = new Promise((resolve) => client.once('exit', (code, signal) => resolve(code ?? signal)));
  return { fault, server, client, exited };
}

/** What the backend saw until now, what the agent says of itself, and how its process ended. */
async function close({ server, client, exited }) {
  const over = nowMs();
  const dials = server.dials.filter((at) => at <= over);
  const ends = dials.map((_, i) => (server.ends[i] <= over ? server.ends[i] : undefined));
  const { lives, frozenAt } = server;
  let view = null;
  if (client.connected) {
    client.send('view');
    [view] = await once(client, 'message');
    client.send('stop');
  }
  const exit = await Promise.race([exited, pause(8_000, 'still there')]);
  if (exit === 'still there') client.kill('SIGKILL');
  await server.close();
  return { dials, ends, lives, frozenAt, view, exit };
}

function rowOf(fault, found) {
  const [first] = found;
  const { measured, budget, within } = fault.judge(fault.phases ? found : first);
  const trouble = found
    .filter(({ view, exit }) => view === null || exit !== 0)
    .map(({ view, exit }) =>
      view === null ? `; process died (${exit})` : `; did not end cleanly (${exit})`,
    );
  return {
    what: fault.what,
    measured: measured + trouble.join(''),
    reference: '',
    compared: '',
    budget,
    verdict: within && trouble.length === 0 ? 'ok' : 'over',
  };
}

function flapping({ dials, view }) {
  const waits = gaps(dials);
  const growing = waits.length > 0 && waits.every((wait, i) => i === 0 || wait >= waits[i - 1]);
  return {
    measured: `${dials.length} connects, gaps ${seconds(waits)}; poller ${view?.poller}`,
    budget: `≤ ${MOST_CONNECTS} connects, growing`,
    within: dials.length > 1 && dials.length <= MOST_CONNECTS && growing && view?.poller === 'running',
  };
}

function hanging({ dials, ends }) {
  const deadlines = dials.flatMap((at, i) => (ends[i] === undefined ? [] : [ends[i] - at]));
  const [first] = deadlines;
  return {
    measured: `deadlines ${seconds(deadlines)}; ${dials.length} tries`,
    budget: `first ${FIRST_DEADLINE_MS / 1_000} s, growing, retries`,
    within:
      Math.abs(first - FIRST_DEADLINE_MS) < 250 &&
      dials.length >= 3 &&
      deadlines.every((one, i) => i === 0 || one > deadlines[i - 1]),
  };
}

function freezing(found) {
  const took = found.map(({ frozenAt, lives }) => lives[1] - frozenAt);
  return {
    measured: `${seconds(took, 2)} to a new live link`,
    budget: `≤ ${FROZEN_MS / 1_000} s, each`,
    within: Math.max(...took) <= FROZEN_MS,
  };
}

function refused({ dials, view }) {
  return {
    measured: `${dials.length} handshakes, ${view?.state}; poller ${view?.poller}`,
    budget: `blocked, ≤ ${MOST_REFUSED} handshakes`,
    within: dials.length <= MOST_REFUSED && view?.state === 'blocked',
  };
}

function gaps(instants) {
  return instants.slice(1).map((at, i) => at - instants[i]);
}

function seconds(all, digits = 1) {
  return `${all.map((ms) => (ms / 1_000).toFixed(digits)).join(', ')} s`;
}
