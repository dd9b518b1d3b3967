import { spawn } from 'node:child_process';
import { writeSync } from 'node:fs';
import { text as readAll } from 'node:stream/consumers';
import { answerCall, type OsascriptCaller, usage } from './osascriptCall.js';
import { doJob } from './sentRow.js';

/*
 * The osascript stand-in: `osascript.js --simulator <directory> -l AppleScript - <arguments>`, the script on stdin.
 */

const caller: OsascriptCaller = {
  pid: process.pid,
  ended: new AbortController().signal,
  script: () => readAll(process.stdin),
  out: (text) => void writeSync(1, text),
  err: (text) => void writeSync(2, text),
  later(directory, path) {
    const args = [...process.argv.slice(1, 2), '--simulator', directory, '--later', path];
    spawn(process.execPath, args, { detached: true, stdio: 'ignore' }).unref();
  },
};

async function main([flag, directory, ...rest]: readonly string[]): Promise<number> {
  if (flag !== '--simulator' || directory === undefined) return usage(caller);
  if (rest[0] !== '--later') return answerCall(caller, directory, rest);
  await doJob(rest[1] ?? '');
  return 0;
}

void main(process.argv.slice(2)).then((exitCode) => {
  process.exitCode = exitCode;
});
