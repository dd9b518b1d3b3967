import { EdgeError } from '../errors.js';
import { BUILT_IN_PERSONAS } from '../simulator/backend/persona.js';
import { SimulatedBackend } from '../simulator/backend/SimulatedBackend.js';
import { environment } from '../system/environment.js';
import { EXIT } from './exitCodes.js';
import { complain, print } from './print.js';
import { untilSignal } from './untilSignal.js';

/** Runs the reference backend on this machine until it is told to stop. */
export async function devBackend(options: {
  port: string;
  secret?: string;
  persona: string;
}): Promise<number> {
  const port = Number(options.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    complain(`edge-agent: --port: expected a port from 0 to 65535, found "${options.port}"`);
    return EXIT.usage;
  }
  const persona = Object.entries(BUILT_IN_PERSONAS).find(([name]) => name === options.persona)?.[1];
  if (persona === undefined) {
    const known = Object.keys(BUILT_IN_PERSONAS).join(', ');
    complain(`edge-agent: --persona: expected one of ${known}, found "${options.persona}"`);
    return EXIT.usage;
  }
  const secret = options.secret || environment().EDGE_SECRET || 'dev-secret';
  try {
    const stopped = untilSignal();
    const backend = await SimulatedBackend.start({
      port,
      secret,
      persona: persona(),
      log: (line) => print(line),
    });
    print(
      `A backend for development listens on ${backend.url} (persona: ${options.persona}). Run an agent against it:`,
      `  EDGE_SECRET=${secret === 'dev-secret' ? secret : '…'} BACKEND_URL=${backend.url} USER_PHONE=+13105550100 edge-agent run`,
    );
    await stopped;
    await backend.stop();
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    complain(`edge-agent: ${error.message}`, error.remedy);
    return EXIT.failed;
  }
}
