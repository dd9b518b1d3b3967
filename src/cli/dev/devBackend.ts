import { describeError, EdgeError } from '../../errors.js';
import { DEV_SECRET, LOOPBACK } from '../../kit/backend/exposure.js';
import { loadPersona } from '../../kit/backend/loadPersona.js';
import { SimulatedBackend } from '../../kit/backend/SimulatedBackend.js';
import { environment } from '../../system/environment.js';
import { EXIT } from '../exitCodes.js';
import { complain, complainOf, print } from '../print.js';
import { untilSignal } from '../untilSignal.js';

/** Older events are not needed while it runs alone. */
const HISTORY = 1_000;

/** The options of the verb, as they were typed. */
export interface DevBackendOptions {
  port: string;
  host: string;
  secret?: string;
  adminKey?: string;
  persona: string;
  data: string;
  rate: string;
}

/** Runs the reference backend until it is stopped. */
export async function devBackend(options: DevBackendOptions): Promise<number> {
  const { host, persona, data } = options;
  const port = Number(options.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    complain(`edge-agent: --port: expected a port from 0 to 65535, found "${options.port}"`);
    return EXIT.usage;
  }
  const perSecond = Number(options.rate);
  if (!(perSecond >= 0)) {
    complain(`edge-agent: --rate: expected requests per second, 0 for any number, found "${options.rate}"`);
    return EXIT.usage;
  }
  const { EDGE_SECRET, EDGE_ADMIN_KEY, REGISTRATION_TOKEN, ENVIRONMENT } = environment();
  const secret = options.secret || EDGE_SECRET || DEV_SECRET;
  const adminKey = options.adminKey || EDGE_ADMIN_KEY;
  const production = ENVIRONMENT?.trim().toLowerCase() === 'production';
  const onMistake = (mistake: unknown) =>
    complain(
      `edge-agent: The backend ends because of an uncaught error: ${describeError(mistake)}`,
      `If it comes from ${persona}: catch the errors of its timers and promises. Commands are kept in ${data}.`,
    );
  process.on('uncaughtExceptionMonitor', onMistake);
  try {
    const answer = await loadPersona(persona);
    const stopped = untilSignal();
    const backend = await SimulatedBackend.start({
      port,
      host,
      secret,
      persona: answer,
      data,
      production,
      historyLimit: HISTORY,
      log: (line) => print(line),
      ...(adminKey === undefined || adminKey === '' ? {} : { adminKey }),
      ...(REGISTRATION_TOKEN ? { registrationToken: REGISTRATION_TOKEN } : {}),
      ...(perSecond === 0 ? {} : { rate: { perSecond, burst: perSecond * 2 } }),
    });
    print(
      `A backend for development listens on ${backend.url} (persona: ${persona}, commands in ${data}). Run an agent against it:`,
      `  EDGE_SECRET=${secret === DEV_SECRET ? secret : '…'} BACKEND_URL=${backend.url} USER_PHONE=+13105550100 edge-agent run`,
    );
    if (production) print('ENVIRONMENT=production: plain secrets are refused.');
    if (host !== LOOPBACK)
      print('Agents on other machines connect only by https: put a proxy with TLS in front of it.');
    await stopped;
    await backend.stop();
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    complainOf(isOfStorage(error) ? unkept(data, error) : error);
    return error.code === 'config_invalid' ? EXIT.usage : EXIT.failed;
  } finally {
    process.off('uncaughtExceptionMonitor', onMistake);
  }
}

const isOfStorage = ({ code }: EdgeError) => /^(storage_.+|store_.+|disk_full)$/.test(code);

function unkept(path: string, error: EdgeError): EdgeError {
  return new EdgeError(
    'state_unwritable',
    `The commands cannot be kept in ${path}: ${error.message}`,
    'Name another file with --data, or ":memory:" to keep them until it stops.',
    { cause: error },
  );
}
