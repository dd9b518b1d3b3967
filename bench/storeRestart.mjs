import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { askDaemon } from '../dist/operator/askDaemon.js';
import { socketPath } from '../dist/operator/socketPath.js';
import { Store } from '../dist/store/Store.js';
import { systemClock } from '../dist/system/clock.js';
import { agentEnvironment, openPlaces } from './AgentWorld.mjs';
import { MAIN } from './DaemonWorld.mjs';
import { bounded, nowMs } from './figures.mjs';

const COMMANDS = 100_000;
const PEOPLE = 500;
const QUIET = Object.fromEntries(['debug', 'info', 'warn', 'error'].map((level) => [level, () => undefined]));

/** From the start of the process to its first answer, with as many scheduled commands in the store, and with none. */
export async function run() {
  const empty = await startedWith(0);
  const full = await startedWith(COMMANDS);
  const reference = (name, value) => ({ name, value });
  return [
    bounded({
      what: `start to first answer, ${COMMANDS} stored commands`,
      measured: full.ms,
      reference: reference('empty store', empty.ms),
      unit: 'ms',
      most: 3_000,
    }),
    bounded({
      what: 'memory after it',
      measured: full.mb,
      reference: reference('empty store', empty.mb),
      unit: 'MB',
      most: 250,
    }),
  ];
}

async function startedWith(count) {
  const places = await openPlaces();
  const env = agentEnvironment(places);
  const state = join(places.directory, 'state');
  mkdirSync(state, { mode: 0o700 });
  fill(join(state, 'edge-agent.db'), count);
  const began = nowMs();
  const daemon = fork(MAIN, ['run'], {
    cwd: places.directory,
    env,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const status = await firstAnswer(socketPath(state));
  const ms = nowMs() - began;
  if (status.scheduled_messages !== count)
    throw new Error(`${status.scheduled_messages} commands are stored`);
  daemon.kill('SIGTERM');
  await once(daemon, 'exit');
  await places.close();
  return { ms, mb: status.memory_usage_mb };
}

async function firstAnswer(path) {
  for (;;) {
    const answer = await askDaemon(path, { verb: 'status' });
    if (answer.kind === 'answered') return answer.result;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function fill(path, count) {
  const store = Store.open(path, { clock: systemClock, log: QUIET });
  const sendAt = systemClock.now() + 300 * 86_400_000;
  store.write(() => {
    for (let number = 0; number < count; number++) {
      const commandId = `cmd_${number}`;
      const conversation = `+1310555${1000 + (number % PEOPLE)}`;
      store.commands.add({
        commandId,
        commandType: 'schedule_message',
        body: '{}',
        bodyHash: '',
        via: 'http',
      });
      const text = { commandId, conversation, threadId: conversation, text: 'Later', priority: 2, sendAt };
      store.schedule.add({ ...text, scheduleId: `sched_${number}` });
    }
  });
  store.close();
}
