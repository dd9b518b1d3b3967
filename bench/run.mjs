import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { circumstances, load, report } from './report.mjs';
import { print } from './table.mjs';

/** Every bench, in the order in which they run. Each exports `run()`, which gives the rows of its table. */
const BENCHES = {
  dispatch: 'a command on the socket → osascript started',
  link: 'the link under faults, 75 s of real time',
  incoming: 'a commit to chat.db → the HTTP request',
  decode: 'attributedBody → text',
  decodePeers: 'attributedBody → text, against the parsers of npm',
  look: 'a look at chat.db, and what a new row costs',
  accept: 'a burst of commands, durable',
  flood: 'much at once: commands in one reply, texts due in one second',
  burst: 'texts in a burst, from the frame to the cleared ack',
  backlog: 'a backlog of messages, posted while commands come',
  storeRestart: 'a start with 100 000 stored commands',
  storeAcks: 'ack latency under a steady load',
  monitor: 'a command while 50 watch and two abuse the monitor',
  paint: 'the monitor’s page, from the link to the first paint',
  start: 'the daemon, from its start to its WebSocket',
  status: 'edge-agent status',
  logs: 'edge-agent logs over a full and over a large log',
  idle: 'an agent with nothing to do, 90 s',
  footprint: 'memory',
  scale: 'what an item costs while ever more wait',
  outage: 'the backend is down while people write',
  gateway: 'the gateway, in SQLite and in PostgreSQL: commands accepted, and 2 000 agents',
  load: '2 000 agents on one reference backend, 200 commands a second',
};

/** Only when named. */
const ON_REQUEST = { largest: 'the look at chat.db with 5 million messages, made once' };
const ALL = { ...BENCHES, ...ON_REQUEST };

/** `all`: every bench; `--report`: the figures are put into docs/performance.md. */
const given = process.argv.slice(2);
const isReported = given.includes('--report');
const asked = given.filter((name) => name !== '--report' && name !== 'all');
const unknown = asked.filter((name) => !(name in ALL));
if (unknown.length > 0) {
  console.error(`No such bench: ${unknown.join(', ')}. There are: ${Object.keys(ALL).join(', ')}.`);
  process.exit(2);
}

// Whatever a bench leaves, also when it fails or is interrupted, goes with this directory.
const place = mkdtempSync(join(tmpdir(), 'edge-bench-'));
process.env.TMPDIR = place;
// Every start of Node reads this file, which takes longer than the rest of the start: no bench is to measure it.
delete process.env.NODE_EXTRA_CA_CERTS;
process.on('exit', () => rmSync(place, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

const under = circumstances();
const results = new Map();
for (const name of asked.length > 0 ? asked : Object.keys(BENCHES)) {
  const { run } = await import(`./${name}.mjs`);
  const began = load();
  const rows = await run();
  print(`${name}: ${ALL[name]}`, rows);
  results.set(name, { rows, load: `${began}–${load()}` });
  // At once: a bench that fails later costs no figure.
  if (isReported) report(Object.keys(ALL), results, under);
}
const judged = [...results].flatMap(([name, { rows }]) =>
  rows.flatMap(({ what, verdict }) => (verdict === '' ? [] : [{ name: `${name} (${what})`, verdict }])),
);
const over = judged.filter(({ verdict }) => verdict === 'over').map(({ name }) => name);
const rest = over.length === 0 ? '' : `; over: ${over.join('; ')}`;
const { commit, node } = under;
console.log(`\n${judged.length - over.length} of ${judged.length} within budget${rest}`);
console.log(`commit ${commit}, Node ${node}, load ${load()}`);
