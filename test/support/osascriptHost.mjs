// Answers, in one process, the calls of stand-ins for osascript that would each start a node otherwise. See ServedOsascript.ts, whose
// script calls: with its pid, the number of its arguments and these, a NUL behind each. It is told `in` (send stdin, to its
// end), `out` and `err` with a number of bytes and these, and `exit` with a code.

import { existsSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { answerCall } from '../../dist/kit/messages/osascriptCall.js';
import { doJob } from '../../dist/kit/messages/sentRow.js';

const servers = new Map();

process.on('message', ({ serve, end }) => {
  if (serve !== undefined && !servers.has(serve.socket)) {
    const server = createServer({ allowHalfOpen: true }, (caller) => void answer(caller, serve.directory));
    // A test that ends early takes the directory with it.
    server.on('error', (error) => {
      if (existsSync(serve.directory)) throw error;
    });
    // An earlier host may have died with it.
    rmSync(serve.socket, { force: true });
    servers.set(serve.socket, server.listen(serve.socket));
  }
  servers.get(end)?.close();
  servers.delete(end);
});
process.on('disconnect', () => process.exit());

async function answer(socket, directory) {
  const ended = new AbortController();
  socket.on('error', () => ended.abort());
  socket.on('close', () => ended.abort());
  const write = (name, text) => socket.write(`${name} ${Buffer.byteLength(text)}\n${text}`);
  try {
    const { pid, args, stdin } = await heard(socket, ended.signal);
    const caller = {
      pid,
      ended: ended.signal,
      script() {
        socket.write('in\n');
        return stdin;
      },
      out: (text) => write('out', text),
      err: (text) => write('err', text),
      later: (_directory, path) => void doJob(path).catch(say),
    };
    socket.end(`exit ${await answerCall(caller, directory, args)}\n`);
  } catch (error) {
    // As a process of its own that fails: the other calls go on.
    if (ended.signal.aborted) return;
    write('err', `${error.stack}\n`);
    socket.end('exit 1\n');
  }
}

/** Who calls, with what; and what follows when it is asked for. Rejects, as does `stdin`, when the caller ends before. */
function heard(socket, ended) {
  return new Promise((resolve, reject) => {
    let all = Buffer.alloc(0);
    let isAsked = false;
    let endStdin;
    ended.addEventListener('abort', () => reject(ended.reason));
    const stdin = new Promise((resolveStdin, rejectStdin) => {
      ended.addEventListener('abort', () => rejectStdin(ended.reason));
      endStdin = resolveStdin;
    });
    stdin.catch(() => undefined);
    socket.on('end', () => endStdin(all.toString('utf8')));
    socket.on('data', (part) => {
      all = Buffer.concat([all, part]);
      if (isAsked) return;
      const [pid, count, ...args] = all.toString('utf8').split('\0');
      if (count === undefined || args.length <= Number(count)) return;
      isAsked = true;
      all = Buffer.alloc(0);
      resolve({ pid: Number(pid), args: args.slice(0, Number(count)), stdin });
    });
  });
}

/** Of a row that was to be written later; one whose Mac is gone with its test is no failure. */
function say(error) {
  if (error.code !== 'ENOENT' && error.code !== 'SQLITE_CANTOPEN') process.stderr.write(`${error.stack}\n`);
}
