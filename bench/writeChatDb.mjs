/* A process of its own that plays Messages: writes a message when it is told to, and says when its commit was done. */
import { ChatDbWriter } from '../dist/kit/messages/ChatDbWriter.js';
import { nowMs } from './figures.mjs';

const writer = new ChatDbWriter(process.argv[2], { version: 26 });
process.on('message', ({ from, text }) => {
  // All but the stage that completes it; Messages writes them in separate commits too.
  const incoming = writer.receive({ from, text, stages: ['row', 'text'] });
  incoming.write('chat');
  process.send({ guid: incoming.guid, committedAt: nowMs() });
});
process.on('disconnect', () => writer.close());
