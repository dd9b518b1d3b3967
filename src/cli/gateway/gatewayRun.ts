import { isIPv6 } from 'node:net';
import { parseDotenv } from '../../config/dotenv.js';
import { networkOf } from '../../config/network.js';
import { describeError, EdgeError } from '../../errors.js';
import { Gateway } from '../../gateway/Gateway.js';
import type { GatewaySettings } from '../../gateway/gatewaySettings.js';
import { firstAgents } from '../../gateway/ledger/agentViews.js';
import { listApiKeys } from '../../gateway/ledger/apiKeys.js';
import { openGatewayDatabase } from '../../gateway/openGatewayDatabase.js';
import { createLogger } from '../../logging/createLogger.js';
import type { LogFormat, LogLevel } from '../../logging/formatLine.js';
import type { Logger } from '../../logging/Logger.js';
import type { ErrorCode } from '../../model/errorCodes.js';
import { StatusServer } from '../../operator/StatusServer.js';
import { systemClock } from '../../system/clock.js';
import { environment } from '../../system/environment.js';
import { isLoopback } from '../../system/network.js';
import { systemRandom } from '../../system/random.js';
import { EXIT } from '../exitCodes.js';
import { complain, complainOf } from '../print.js';
import { untilSignal } from '../untilSignal.js';
import { adminSocketVerbs, gatewayAdmin } from './gatewayAdmin.js';
import { type GatewayKeys, gatewayKeys } from './gatewayKey.js';
import { adminSocket, type GatewayPlace, gatewayPlace, type PlaceOptions } from './gatewayPlace.js';
import { uploadPlace } from './uploadPlace.js';

/** The options of the verb, as they were typed. */
export interface GatewayRunOptions extends PlaceOptions {
  host: string;
  port: number;
  publicUrl?: string;
  uploads?: string;
  keepDays: number;
  rate: number;
  allowPrivateWebhooks?: boolean;
  plainSecrets?: boolean;
  logLevel: LogLevel;
  logFormat?: LogFormat;
}

/** Faults that a restart does not fix. */
const MISCONFIGURED: ReadonlySet<ErrorCode> = new Set(['secret_missing', 'config_invalid']);

/** Its secrets are in the environment alone. */
const NO_DOTENV = parseDotenv('');

/** What all uploaded files may come to. */
const UPLOAD_BYTES = 10 * 1024 ** 3;
/** Applications may think for so long; an agent's request waits for 60 s. */
const ANSWER_MS = 25_000;
/** An agent pings every 30 s. */
const SILENCE_MS = 60_000;
/** When it stops, so many agents a second are sent to look for another replica, or for this one again. */
const CLOSES_PER_SECOND = 500;

/**
 * Runs the gateway until it is stopped (exit 0), or says why it cannot (78 if a new start would not help). SIGTERM and
 * SIGINT drain it, a second signal ends it immediately.
 */
export async function gatewayRun(options: GatewayRunOptions): Promise<number> {
  const stopped = untilSignal();
  const { GATEWAY_KEY } = environment();
  const log = createLogger({
    file: undefined,
    level: options.logLevel,
    format: options.logFormat ?? (process.stdout.isTTY ? 'text' : 'json'),
    console: process.stdout,
  });
  const { logger } = log;
  const onMistake = (mistake: unknown) =>
    logger.error('The gateway ends because of an uncaught error', { cause: describeError(mistake) });
  process.on('uncaughtExceptionMonitor', onMistake);
  try {
    const place = gatewayPlace(options);
    const keys = gatewayKeys(place, GATEWAY_KEY);
    log.redact([keys.key, ...keys.before].map((key) => key.toString('base64')));
    if (!isLoopback(isIPv6(options.host) ? `[${options.host}]` : options.host))
      await demandSomebody(place, options.host, logger);
    const settings = gatewaySettings(options, place, keys);
    const { uploads } = settings;
    if (uploads.kind === 's3')
      log.redact([
        uploads.secretAccessKey,
        ...(uploads.sessionToken === undefined ? [] : [uploads.sessionToken]),
      ]);
    await runUntil(stopped, settings, options, logger);
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    complainOf(error);
    return MISCONFIGURED.has(error.code) ? EXIT.invalidConfig : EXIT.failed;
  } finally {
    process.off('uncaughtExceptionMonitor', onMistake);
    log.close();
  }
}

async function runUntil(
  stopped: Promise<void>,
  settings: GatewaySettings,
  options: GatewayRunOptions,
  log: Logger,
): Promise<void> {
  const { storage, allowPrivateWebhooks } = settings;
  const gateway = await Gateway.start(settings, { clock: systemClock, random: systemRandom, log });
  const url = `http://${isIPv6(settings.host) ? `[${settings.host}]` : settings.host}:${gateway.port}`;
  let admin: StatusServer | undefined;
  try {
    if (storage.kind === 'sqlite') {
      const { database, box } = gateway;
      const verbs = gatewayAdmin({
        database,
        box,
        keys: () => gatewayKeys(storage, environment().GATEWAY_KEY),
        clock: systemClock,
        publicUrl: options.publicUrl ?? (environment().GATEWAY_PUBLIC_URL || null),
        localUrl: isLoopback(new URL(url).hostname) ? url : null,
        allowPrivateWebhooks,
      });
      admin = await StatusServer.listen(adminSocket(storage.path), adminSocketVerbs(verbs), log, systemClock);
    }
    log.info('The gateway listens', {
      url,
      storage: storage.kind === 'sqlite' ? storage.path : 'PostgreSQL',
    });
    await stopped;
    log.info('The gateway stops; agents are asked to connect again');
  } finally {
    await admin?.close();
    await gateway.stop();
  }
}

/**
 * The options of the verb that are no matter of the command line alone, in the units of the gateway. Throws EdgeError for what cannot be.
 */
export function gatewaySettings(
  options: Pick<
    GatewayRunOptions,
    'host' | 'port' | 'uploads' | 'keepDays' | 'rate' | 'allowPrivateWebhooks' | 'plainSecrets'
  >,
  place: GatewayPlace,
  { key, before }: Pick<GatewayKeys, 'key' | 'before'>,
): GatewaySettings {
  const { host, port, rate, keepDays, plainSecrets = false, allowPrivateWebhooks = false } = options;
  return {
    host,
    port,
    storage: place,
    key,
    keysBefore: before,
    uploads: uploadPlace(options.uploads, place, environment()),
    uploadBytes: UPLOAD_BYTES,
    registrationToken: environment().REGISTRATION_TOKEN || undefined,
    plainSecrets,
    rate: rate === 0 ? undefined : { perSecond: rate, burst: rate * 2 },
    silenceMs: SILENCE_MS,
    closesPerSecond: CLOSES_PER_SECOND,
    keepDays,
    allowPrivateWebhooks,
    network: networkOf(
      { env: environment(), dotenv: NO_DOTENV, proxy: undefined, ca: undefined },
      (warning) => complain(`edge-agent: ${warning}`),
    ),
    answerMs: ANSWER_MS,
  };
}

/** Refuses to listen beyond this machine while there is neither an agent nor a key. Throws EdgeError `secret_missing`. */
async function demandSomebody(place: GatewayPlace, host: string, log: Logger): Promise<void> {
  const database = await openGatewayDatabase(place, { clock: systemClock, random: systemRandom, log });
  try {
    const [agents, keys] = await Promise.all([firstAgents(database), listApiKeys(database)]);
    if (agents.length > 0 || keys.some(({ revokedAt }) => revokedAt === null)) return;
  } finally {
    await database.close();
  }
  throw new EdgeError(
    'secret_missing',
    `The gateway would listen on ${host}, and has neither an agent nor a key.`,
    'Add one first: edge-agent gateway agents add +13105550100. Or let it listen on 127.0.0.1.',
  );
}
