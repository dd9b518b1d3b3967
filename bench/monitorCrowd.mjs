import WebSocket from 'ws';

/**
 * A process of its own that watches, or abuses, a monitor while its parent says `on`: `watchers` connections that asked for
 * everything, one that sends 1 000 frames a second and comes back at once whenever it is cut off, or askers that ask for the
 * errors of the log 18 times a second each.
 */
const [url, role, count] = process.argv.slice(2);
const TOPICS = ['link', 'commands', 'logs', 'sends', 'queues', 'schedule', 'pauses', 'problems'];
const sockets = new Set();
let isOn = false;
let heard = 0;
let sent = 0;
let refused = 0;

function watch() {
  const socket = join();
  socket.on('open', () => socket.send(JSON.stringify({ type: 'subscribe', data: { topics: TOPICS } })));
  socket.on('message', (data) => {
    heard += 1;
    if (String(data).startsWith('{"type":"snapshot"')) socket.ready?.();
  });
  return new Promise((resolve) => {
    socket.ready = resolve;
  });
}

function abuse() {
  const socket = join();
  const frames = [
    '{"type":"ping"}',
    '{"type":',
    '{"type":"user_presence","data":"busy"}',
    '{"type":"request","data":{"id":"1","verb":"status"}}',
  ];
  socket.on('close', () => isOn && abuse());
  const timer = setInterval(() => {
    if (socket.readyState !== WebSocket.OPEN) return;
    for (let index = 0; index < 10; index++) socket.send(frames[sent++ % frames.length]);
  }, 10);
  socket.on('close', () => clearInterval(timer));
}

function ask() {
  const socket = join();
  const data = { id: '1', verb: 'logs.tail', args: { lines: 500, level: 'error' } };
  const frame = JSON.stringify({ type: 'request', data });
  const timer = setInterval(() => {
    if (socket.readyState !== WebSocket.OPEN) return;
    socket.send(frame);
    sent += 1;
  }, 55);
  socket.on('close', () => clearInterval(timer));
  socket.on('message', (data) => {
    const text = String(data);
    if (!text.startsWith('{"type":"response"')) return;
    heard += 1;
    if (text.includes('"monitor_busy"')) refused += 1;
  });
}

function join() {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  sockets.add(socket);
  socket.on('error', () => undefined);
  socket.on('close', () => sockets.delete(socket));
  return socket;
}

process.on('message', async (word) => {
  isOn = word === 'on';
  if (!isOn) for (const socket of sockets) socket.terminate();
  else if (role === 'abuser') abuse();
  else if (role === 'asker') for (let index = 0; index < Number(count); index++) ask();
  else await Promise.all(Array.from({ length: Number(count) }, watch));
  process.send({ heard, sent, refused });
});
process.on('disconnect', () => process.exit());
