import { basename, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { echo } from '../../kit/backend/persona.js';
import { systemClock, type Timer } from '../../system/clock.js';
import { environment } from '../../system/environment.js';
import { EXIT } from '../exitCodes.js';
import { print, wantsColour } from '../print.js';
import { untilSignal } from '../untilSignal.js';
import { ANN } from './DemoMac.js';
import { DemoWorld } from './DemoWorld.js';
import { describeEvent } from './demo.js';
import { DemoScreen } from './demoScreen.js';

const LOOK_EVERY_MS = 100;

/**
 * The system of the demo, to try by hand: the real agent between simulated Messages and a backend that echoes. Each line typed is a
 * message from Ann; what the backend does and what Messages sends is printed. Ends in order with the input or at Ctrl-C (exit 0), and
 * leaves nothing behind.
 */
export async function play(): Promise<number> {
  const screen = new DemoScreen(print, wantsColour(process.stdout, environment()));
  const stopped = untilSignal();
  const world = await DemoWorld.open(screen, { persona: echo, showLog: false });
  let timer: Timer | undefined;
  const look = () => {
    world.mac.showSent();
    timer = systemClock.after(LOOK_EVERY_MS, look);
  };
  try {
    world.backend.observe((event) => {
      const line = describeEvent(event);
      if (line !== undefined) screen.line('backend', line);
    });
    await world.agent.start();
    if (!(await world.mac.until(() => world.agent.snapshot().link === 'realtime'))) {
      screen.line('failed', 'The agent did not connect to the backend.');
      return EXIT.failed;
    }
    look();
    const self = `${thisCommand()} --config ${world.mac.configPath}`;
    print(
      '',
      'Type a message and press Enter: Ann sends it, the backend answers, and Ann gets the answer.',
      'In another terminal:',
      `  ${self} send ${ANN} 'hello Ann'`,
      `  ${self} status`,
      `  ${self} watch --texts`,
      'Ctrl-D ends it and removes everything.',
      '',
    );
    const input = createInterface({ input: process.stdin });
    input.on('line', (line) => {
      if (line.trim() !== '') world.mac.annWrites(line);
    });
    await Promise.race([stopped, new Promise((resolve) => input.once('close', resolve))]);
    input.close();
    return EXIT.ok;
  } finally {
    timer?.cancel();
    await world.close();
  }
}

/** How this program is called here: `edge-agent` where it is installed, else by its file. */
function thisCommand(): string {
  const [, script = 'edge-agent'] = process.argv;
  if (basename(script) === 'edge-agent') return 'edge-agent';
  const path = relative(process.cwd(), script);
  return `node ${path.startsWith('..') ? script : path}`;
}
