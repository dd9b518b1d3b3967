// Plays launchctl or plutil: hands its arguments to the simulated launchd and ends as that says.
import { createConnection } from 'node:net';

const [socketPath, program, ...args] = process.argv.slice(2);
const socket = createConnection(socketPath);
let reply = '';
socket.setEncoding('utf8');
socket.on('connect', () => socket.write(`${JSON.stringify({ program, args })}\n`));
socket.on('data', (chunk) => {
  reply += chunk;
});
socket.on('end', () => {
  const { code, stdout, stderr } = JSON.parse(reply);
  process.stdout.write(stdout);
  process.stderr.write(stderr);
  process.exitCode = code;
});
