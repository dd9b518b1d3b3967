/*
 * A minimal program instead of the daemon: reads a frame from its WebSocket, commits it to a database, starts the
 * program that replaces osascript, and reports to its parent when each was done, by the clock of `nowMs`.
 */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { openDurableDatabase } from '../dist/store/sqlite.js';
import { nowMs } from './figures.mjs';

const [url, directory, program, ...args] = process.argv.slice(2);
const database = openDurableDatabase(join(directory, 'bare.db'));
database.exec('CREATE TABLE commands (id INTEGER PRIMARY KEY, body TEXT NOT NULL)');
const insert = database.prepare('INSERT INTO commands (body) VALUES (?)');
const socket = new WebSocket(url, { perMessageDeflate: false });
socket.on('message', (data) => {
  const frame = data.toString();
  const arrivedAt = nowMs();
  insert.run(frame);
  const committedAt = nowMs();
  start().once('exit', () => process.send({ arrivedAt, committedAt }));
});
process.on('disconnect', () => process.exit());

/** With the same kind of standard streams as osascript gets. */
function start() {
  const input = openSync('/dev/null', 'r');
  const output = openSync(join(directory, 'bare.log'), 'a');
  const env = { PATH: process.env.PATH, HOME: directory };
  const child = spawn(program, args, { detached: true, stdio: [input, output, output], env });
  closeSync(input);
  closeSync(output);
  return child;
}
