// A process in which `edge-agent` runs again and again, each time as in a process of its own: from new modules, with the arguments, the
// environment and the directory that it is given, until nothing is left that its event loop waits for. What a start costs is
// spent once. See WarmProgram.ts.

import { ReadStream } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Bundle } from '../../dist/system/Bundle.cjs';

const bundle = fileURLToPath(new URL('../../dist/bundle', import.meta.url));
const requirePackage = createRequire(import.meta.url);
const [node, , program] = process.argv;
/** Compiled once; each run has modules of its own. */
const compiled = new Map();
const umask = process.umask();
/** What a program listens to, and what it leaves there. */
const EMITTERS = [process, process.stdout, process.stderr];

let endOfOutput;
let before;

process.on('message', ({ args, cwd, env, mark }) => {
  endOfOutput = mark;
  before = EMITTERS.map(listenersOf);
  process.argv = [node, program, ...args];
  for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name];
  Object.assign(process.env, env);
  process.chdir(cwd);
  process.exitCode = undefined;
  renewInput();
  process.channel.unref();
  new Bundle(bundle, requirePackage, compiled).load('cli/main.cjs');
});

process.on('beforeExit', () => {
  if (endOfOutput === undefined) return;
  const mark = endOfOutput;
  endOfOutput = undefined;
  const exitCode = Number(process.exitCode ?? 0);
  process.exitCode = undefined;
  const left = addedTo(process, before[0]).filter(([event]) => event === 'exit');
  for (const [, listener] of left) listener.call(process, exitCode);
  EMITTERS.forEach((emitter, index) => {
    for (const [event, listener] of addedTo(emitter, before[index])) emitter.off(event, listener);
  });
  http.globalAgent.destroy();
  https.globalAgent.destroy();
  process.umask(umask);
  process.chdir('/');
  process.channel.ref();
  process.stdout.write(mark);
  process.stderr.write(mark);
  process.send({ exitCode });
});

process.on('disconnect', () => process.exit());

function listenersOf(emitter) {
  return new Map(emitter.eventNames().map((event) => [event, emitter.rawListeners(event)]));
}

function addedTo(emitter, known) {
  return [...listenersOf(emitter)].flatMap(([event, listeners]) =>
    listeners
      .filter((listener) => !(known.get(event) ?? []).includes(listener))
      .map((listener) => [event, listener]),
  );
}

/** Each run finds /dev/null, from its beginning. */
function renewInput() {
  let input;
  Object.defineProperty(process, 'stdin', {
    configurable: true,
    get: () => {
      input ??= new ReadStream('/dev/null');
      return input;
    },
  });
}
