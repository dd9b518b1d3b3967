import WebSocket from 'ws';

/**
 * A process of its own that watches, or abuses, a monitor while its parent says `on`: `watchers` connections that asked for
 * everything, or one that sends 1 000 frames a second and comes back at once whenever it is cut off.
 */
const [url, role, count] = process.argv.slice(2);
const TOPICS = ['link', 'commands', 'logs', 'sends', 'queues', 'schedule', 'pauses', 'problems'];
const sockets = new Set();
let isOn = false;
let heard = 0;
let sent = 0;

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
  else await Promise.all(Array.from({ length: Number(count) }, watch));
  process.send({ heard, sent });
});
process.on('disconnect', () => process.exit());
