// `npm run trace-flow`: how far one message and one command travel through the program. Counts the distinct functions and
// files that are entered, and the hops: reading the functions in the order of their first entry, how often the next one is in
// another room (a folder of src). Counts what each of three passes enters, so that what merely ticks meanwhile is no part of it.
// `--files` names the files.

import { register } from 'node:module';

register('./traceHooks.mjs', import.meta.url);
const { agentEnvironment, openPlaces, SECRET } = await import('../bench/AgentWorld.mjs');
const { loadConfig } = await import('../dist/config/loadConfig.js');
const { EdgeAgent } = await import('../dist/daemon/EdgeAgent.js');
const { SimulatedBackend } = await import('../dist/kit/backend/SimulatedBackend.js');
const { createLogger } = await import('../dist/logging/createLogger.js');

const PERSON = '+13105551234';
const PATIENCE_MS = 60_000;
const PASSES = 3;
// As deep as calls go within one turn of the loop.
Error.stackTraceLimit = 100;

/** Whether the simulated Mac or the backend called, which run in this process and use some of the same modules. */
function isOfBackend() {
  return /\/dist\/(?:kit|gateway)\//.test(new Error('trace').stack);
}

/** Records while `work` runs what was entered, in the order of first entry. */
async function trace(work) {
  const entered = new Set();
  globalThis.enteredFunction = (file, line) => {
    const entry = `${file}:${line}`;
    if (!entered.has(entry) && !isOfBackend()) entered.add(entry);
  };
  await work();
  globalThis.enteredFunction = undefined;
  return [...entered];
}

const fileOf = (entry) => entry.slice(0, entry.lastIndexOf(':'));
const roomOf = (entry) => entry.split('/')[0].split('.')[0];

/** What every pass enters, in the order of the last one. */
async function traceAll(work) {
  const passes = [];
  for (let pass = 1; pass <= PASSES; pass += 1) passes.push(await trace(() => work(pass)));
  const [last, ...others] = passes.reverse().map((entered) => new Set(entered));
  return [...last].filter((entry) => others.every((entered) => entered.has(entry)));
}

function figures(functions) {
  const files = [...new Set(functions.map(fileOf))].sort();
  const hops = functions.filter((entry, at) => at > 0 && roomOf(entry) !== roomOf(functions[at - 1])).length;
  return { functions, files, hops };
}

function print(what, { functions, files, hops }) {
  console.log(`${what}: ${files.length} files, ${functions.length} functions, ${hops} hops between rooms`);
  const rooms = Map.groupBy === undefined ? grouped(files) : Map.groupBy(files, roomOf);
  for (const [room, names] of rooms) {
    const count = `${names.length}`.padStart(4);
    console.log(`  ${count}  ${room}${process.argv.includes('--files') ? `: ${names.join(' ')}` : ''}`);
  }
}

function grouped(files) {
  const rooms = new Map();
  for (const file of files) rooms.set(roomOf(file), [...(rooms.get(roomOf(file)) ?? []), file]);
  return rooms;
}

/** The whole agent in this process, connected, with its log at info going to its file as it does in service. */
async function startAgent({ directory, ...places }) {
  const env = agentEnvironment({ directory, ...places });
  const loaded = loadConfig({ env, cwd: directory, homeDir: directory, platform: process.platform });
  const { file } = loaded.config.logging;
  const log = createLogger({ file, level: 'info', format: 'text', redact: [SECRET] });
  const agent = new EdgeAgent({ loaded, env, log });
  await agent.start();
  await places.backend.until((backend) => backend.statuses.length > 0, 10_000);
  return {
    async stop() {
      await agent.stop();
      log.close();
    },
  };
}

const persona = ({ text }) => ({ bubbles: [`you said: ${text}`] });
const places = await openPlaces(() => SimulatedBackend.start({ port: 0, secret: SECRET, persona }));
const { mac, backend } = places;
const running = await startAgent(places);
mac.chatDb.directChat(PERSON);

/** A message comes in; over once the agent says that its answer was found sent. */
function message(text) {
  const incoming = mac.chatDb.receive({ from: PERSON, text });
  const isProof = ({ body }) =>
    body.event_type === 'message_sent' && body.details.in_reply_to === incoming.guid;
  const answered = backend.until(({ events }) => events.some(isProof), PATIENCE_MS);
  incoming.complete();
  return answered;
}

/** A command to send a text; over once its ack says that it was found sent. */
function command(id) {
  const isProof = ({ body }) => body.command_id === id && body.status === 'completed';
  const acked = backend.until(({ acks }) => acks.some(isProof), PATIENCE_MS);
  backend.pushCommand({
    command_id: id,
    command_type: 'send_message',
    payload: { thread_id: PERSON, text: id },
  });
  return acked;
}

// The first of each also loads and prepares what the next ones find ready.
await message('warm up');
await command('warm_up');
print('message', figures(await traceAll((pass) => message(`hello ${pass}`))));
print('command', figures(await traceAll((pass) => command(`traced_${pass}`))));
await running.stop();
await places.close();
