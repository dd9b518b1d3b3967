/*
 * A minimal program for comparison: posts messages to a backend over kept-alive connections, each with its start time
 * as guid, by the clock of `nowMs`.
 */
import { Agent, request } from 'node:http';
import { nowMs } from './figures.mjs';

const [url, count, atOnce] = process.argv.slice(2);
const BODY = JSON.stringify({ filtered_text: 'x'.repeat(400) });
const agent = new Agent({ keepAlive: true, maxSockets: Number(atOnce) });

let posted = 0;
const before = process.cpuUsage();
const began = nowMs();
await Promise.all(Array.from({ length: Number(atOnce) }, postAll));
const ms = nowMs() - began;
const { user, system } = process.cpuUsage(before);
agent.destroy();
process.send({ ms, cpu: user + system });
process.disconnect();

async function postAll() {
  while (posted < Number(count)) {
    posted += 1;
    await post();
  }
}

function post() {
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Type': 'application/json', 'Content-Length': BODY.length };
    const key = `${nowMs()}`;
    const sent = request(`${url}/edge/message`, {
      agent,
      method: 'POST',
      headers: { ...headers, 'Idempotency-Key': key },
    });
    sent.on('error', reject);
    sent.on('response', (response) => response.resume().on('end', resolve));
    sent.end(BODY);
  });
}
