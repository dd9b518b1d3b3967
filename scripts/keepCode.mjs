// Has V8 keep the code of the bundled programs, for the node that runs this: the daemon does its work once with the flags of the
// service and once without, the command answers what it is asked most, and each keeps what it has compiled.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { agentEnvironment, openPlaces, SECRET } from '../bench/AgentWorld.mjs';
import { echo } from '../dist/kit/backend/persona.js';
import { SimulatedBackend } from '../dist/kit/backend/SimulatedBackend.js';

const MAIN = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const KEEP = `--import=${new URL('./keepCodeAtExit.mjs', import.meta.url).href}`;
const PERSON = '+13105551234';
const PATIENCE_MS = 60_000;

/** The requests to a program that runs until it is stopped. */
const VERBS = [
  ['--version'],
  ['--help'],
  ['status'],
  ['status', '--json'],
  ['doctor'],
  ['config', 'check'],
  ['config', 'show'],
  ['queue'],
  ['commands'],
  ['schedule'],
  ['logs'],
  ['send', PERSON, 'a text'],
  ['pause'],
  ['resume'],
  ['kick'],
  ['token', '--print'],
  ['no-such-verb'],
];

const places = await openPlaces(() => SimulatedBackend.start({ port: 0, secret: SECRET, persona: echo }));
const { EDGE_STATE_DIRECTORY: state, ...environment } = agentEnvironment(places);
const env = { ...environment, NODE_OPTIONS: KEEP };
// The file that most agents have: the shipped one, with little changed.
const shipped = readFileSync(new URL('../config.yaml', import.meta.url), 'utf8');
const config = shipped.replace(/^state:$/m, `state:\n  directory: ${JSON.stringify(state)}`);
writeFileSync(join(places.directory, 'config.yaml'), config);
places.mac.chatDb.directChat(PERSON);
// The daemon gives its own environment to no child.
const { osascriptPath } = places.mac;
const standIn = readFileSync(osascriptPath, 'utf8');
writeFileSync(osascriptPath, standIn.replace('exec ', `NODE_OPTIONS='${KEEP}' exec `));

const start = (args) => spawn(process.execPath, args, { cwd: places.directory, env, stdio: 'ignore' });

/** Runs the daemon at work, and meanwhile the verbs. */
async function work(flags, verbs) {
  const sent = places.mac.sent().length;
  const statuses = places.backend.statuses.length;
  const daemon = start([...flags, MAIN, 'run']);
  const ended = once(daemon, 'exit');
  try {
    await places.backend.until((backend) => backend.statuses.length > statuses, PATIENCE_MS);
    places.mac.chatDb.receive({ from: PERSON, text: 'hello' });
    places.backend.pushCommand({
      command_type: 'send_message_now',
      payload: { thread_id: PERSON, text: 'a text' },
    });
    await places.backend.until(() => places.mac.sent().length >= sent + 2, PATIENCE_MS);
    for (const verb of verbs) await once(start([MAIN, ...verb]), 'exit');
  } finally {
    daemon.kill('SIGTERM');
    await ended;
  }
}

try {
  await work(['--optimize-for-size'], []);
  await work([], VERBS);
} catch (error) {
  console.warn(`The programs will start more slowly, without code that V8 keeps: ${error.message}`);
} finally {
  await places.close();
}
