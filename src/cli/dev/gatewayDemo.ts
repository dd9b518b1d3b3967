import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { EdgeError } from '../../errors.js';
import { Gateway } from '../../gateway/Gateway.js';
import { changeWebhook } from '../../gateway/ledger/webhookEndpoints.js';
import { createLogger } from '../../logging/createLogger.js';
import { systemClock, type Timer } from '../../system/clock.js';
import { environment } from '../../system/environment.js';
import { systemRandom } from '../../system/random.js';
import { EXIT } from '../exitCodes.js';
import { type GatewayAdmin, gatewayAdmin } from '../gateway/gatewayAdmin.js';
import { gatewaySettings } from '../gateway/gatewayRun.js';
import { complainOf, print, wantsColour } from '../print.js';
import { untilSignal } from '../untilSignal.js';
import { DemoBot } from './DemoBot.js';
import { ANN, DemoMac, OWN_NUMBER } from './DemoMac.js';
import { DemoScreen } from './demoScreen.js';

const LOOK_EVERY_MS = 100;
const KEY_BYTES = 32;

/** What ends a part of the demo; the last one first. */
type Ending = () => Promise<void> | void;

/**
 * A gateway, the bot of examples/bot.mjs, and a simulated Mac with the real agent between them, to try by hand. Each line typed is a message
 * from Ann, which the bot answers; what Messages sends is printed. Ends in order with the input or at Ctrl-C (exit 0), and leaves nothing
 * behind.
 */
export async function gatewayDemo(options: { port: number }): Promise<number> {
  const screen = new DemoScreen(print, wantsColour(process.stdout, environment()));
  const stopped = untilSignal();
  const endings: Ending[] = [];
  try {
    const { gateway, admin } = await startGateway(options.port, endings);
    const url = `http://127.0.0.1:${gateway.port}`;
    await startBot(gateway, admin, endings);
    const { secret } = await admin['agents.add']({ address: OWN_NUMBER, id: null, name: 'demo' });
    const mac = DemoMac.open(screen, { url, secret }, false);
    endings.push(() => mac.close());
    await mac.agent.start();
    if (!(await mac.until(() => mac.agent.snapshot().link === 'realtime'))) {
      screen.line('failed', 'The agent did not connect to the gateway.');
      return EXIT.failed;
    }
    const key = await admin['keys.add']({ name: 'demo', scopes: ['admin'], agents: null });
    print(...instructions(url, key.secret));
    await untilLeft(mac, stopped);
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    complainOf(error);
    return EXIT.failed;
  } finally {
    for (const end of endings.toReversed()) await end();
  }
}

async function startGateway(
  port: number,
  endings: Ending[],
): Promise<{ gateway: Gateway; admin: GatewayAdmin }> {
  const directory = mkdtempSync(join(tmpdir(), 'edge-agent-gateway-demo-'));
  endings.push(() => rmSync(directory, { recursive: true, force: true }));
  const log = createLogger({ file: join(directory, 'gateway.log'), level: 'info', format: 'text' });
  endings.push(() => log.close());
  const keys = { key: randomBytes(KEY_BYTES), before: [], file: undefined };
  const settings = gatewaySettings(
    { host: '127.0.0.1', port, keepDays: 90, rate: 0, allowPrivateWebhooks: true },
    { kind: 'sqlite', path: join(directory, 'gateway.sqlite') },
    keys,
  );
  const surroundings = { clock: systemClock, random: systemRandom, log: log.logger };
  const gateway = await Gateway.start(settings, surroundings);
  endings.push(() => gateway.stop());
  const { database, box } = gateway;
  const admin = gatewayAdmin({
    database,
    box,
    keys: () => keys,
    clock: systemClock,
    publicUrl: null,
    localUrl: null,
    allowPrivateWebhooks: settings.allowPrivateWebhooks,
  });
  return { gateway, admin };
}

/** The bot has to know the secret of its webhook when it starts, and the webhook the port of the bot. */
async function startBot({ database }: Gateway, admin: GatewayAdmin, endings: Ending[]): Promise<void> {
  const { webhook, secret } = await admin['webhooks.add']({
    url: 'http://127.0.0.1:9/',
    events: ['message.received'],
  });
  const bot = await DemoBot.start(secret);
  endings.push(() => bot.stop());
  await database.transaction((transaction) => changeWebhook(transaction, { ...webhook, url: bot.url }));
}

function instructions(url: string, key: string): string[] {
  const body = JSON.stringify({ to: ANN, text: 'hello Ann' });
  return [
    '',
    'A gateway, a simulated Mac with an agent, and the bot of examples/bot.mjs are running.',
    'Type a message and press Enter: Ann sends it, the bot answers, and Ann gets the answer.',
    '',
    'Send Ann a message, from another terminal:',
    `  curl -X POST ${url}/v1/messages -H 'Authorization: Bearer ${key}' -H 'Content-Type: application/json' -d '${body}'`,
    'The console shows its outcome and everything else; sign in with the key after "Bearer":',
    `  ${url}/console/`,
    'Ctrl-D ends it and removes everything.',
    '',
  ];
}

/** Shows what Messages sends, and has Ann write what is typed, until the person leaves. */
async function untilLeft(mac: DemoMac, stopped: Promise<void>): Promise<void> {
  let timer: Timer | undefined;
  const look = () => {
    mac.showSent();
    timer = systemClock.after(LOOK_EVERY_MS, look);
  };
  look();
  const input = createInterface({ input: process.stdin });
  input.on('line', (line) => {
    if (line.trim() !== '') mac.annWrites(line);
  });
  try {
    await Promise.race([stopped, new Promise((resolve) => input.once('close', resolve))]);
  } finally {
    input.close();
    timer?.cancel();
  }
}
