import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { SimulatedMac } from '../../kit/messages/SimulatedMac.js';
import { systemClock, type Timer } from '../../system/clock.js';
import { EXIT } from '../exitCodes.js';
import { print } from '../print.js';

const LOOK_EVERY_MS = 100;

/**
 * Plays Messages on a machine that has none: a chat.db and an osascript in `directory`, for an agent in another terminal.
 * Each line typed is a message from `from`; what the agent sends is printed. Ends with the input.
 */
export async function devMessages(options: { directory: string; from: string }): Promise<number> {
  const directory = resolve(options.directory);
  mkdirSync(directory, { recursive: true });
  const mac = new SimulatedMac(directory, 26);
  mac.chatDb.directChat(options.from);
  print(
    `Messages is simulated in ${directory}. Run an agent with it in another terminal:`,
    `  export EDGE_IMESSAGE_DB_PATH=${mac.chatDbPath}`,
    `  export EDGE_IMESSAGE_OSASCRIPT_PATH=${mac.osascriptPath}`,
    '  export EDGE_SUPERVISOR_ENABLED=false',
    `Type a line: it is a message from ${options.from}.`,
  );
  let shown = mac.sent().length;
  let timer: Timer | undefined;
  const look = () => {
    const sent = mac.sent();
    for (const { text, target } of sent.slice(shown)) print(`→ ${target}: ${text}`);
    shown = sent.length;
    timer = systemClock.after(LOOK_EVERY_MS, look);
  };
  look();
  const input = createInterface({ input: process.stdin });
  for await (const line of input) {
    if (line.trim() !== '') mac.chatDb.receive({ from: options.from, text: line });
  }
  timer?.cancel();
  mac.close();
  return EXIT.ok;
}
