import { rememberStateDirectory } from '../../config/lastDirectory.js';
import { type LoadedConfig, loadConfig } from '../../config/loadConfig.js';
import { networkSecrets } from '../../config/network.js';
import { type ConfigPlaces, findConfigFile } from '../../config/places.js';
import { AgentService } from '../../daemon/AgentService.js';
import { logSettings } from '../../daemon/componentSettings.js';
import { EdgeAgent } from '../../daemon/EdgeAgent.js';
import { describeError, EdgeError } from '../../errors.js';
import { createLogger } from '../../logging/createLogger.js';
import type { Logger } from '../../logging/Logger.js';
import type { InstanceLock } from '../../store/InstanceLock.js';
import { systemClock } from '../../system/clock.js';
import { EXIT } from '../exitCodes.js';
import { places } from '../places.js';
import { complain, complainOf } from '../print.js';
import { untilSignal } from '../untilSignal.js';

/** Longer than a stop takes; what is left after one that failed must not keep the process. */
const LONGEST_STOP_MS = 30_000;

interface RunOptions {
  configPath?: string;
  service: boolean;
  /** Called each time an agent has started. */
  onStarted?: () => void;
}

/**
 * Runs the agent until it is stopped, or a fault occurs that only a new start can fix (exit 1; launchd starts it
 * again). SIGTERM and SIGINT drain it (exit 0), a second signal ends it immediately. An invalid configuration starts
 * nothing and lists every error (exit 78); as a `service` it waits until the file is corrected.
 */
export async function run(options: RunOptions): Promise<number> {
  const where = places(options);
  try {
    const fault = options.service
      ? await runService(where, options.onStarted)
      : await live(loadConfig(where), { where, stopped: untilSignal(), onStarted: options.onStarted });
    return fault === undefined ? EXIT.ok : failure(fault);
  } catch (error) {
    const exitCode = failure(error);
    if (exitCode === EXIT.invalidConfig && where.configPath === undefined && findConfigFile(where) === null)
      complain('Or let it ask you: edge-agent setup');
    return exitCode;
  }
}

function runService(where: ConfigPlaces, onStarted?: () => void): Promise<EdgeError | undefined> {
  const stopped = untilSignal();
  return new AgentService({
    places: where,
    clock: systemClock,
    stopped,
    run: (loaded, lock) => live(loaded, { where, stopped, onStarted, lock, isService: true }),
    complain: (fault) => void failure(fault),
  }).run();
}

const SLOW_START =
  'The code cache of V8 is missing or from another Node, so the agent was compiled at its start; npm run build creates the cache';

interface LiveOptions {
  where: ConfigPlaces;
  stopped: Promise<void>;
  onStarted: (() => void) | undefined;
  lock?: InstanceLock | undefined;
  isService?: boolean;
}

/** One agent from start to stop; resolves with a fault that only a new start can fix. Throws EdgeError if it cannot start. */
async function live(
  loaded: LoadedConfig,
  { where, stopped, onStarted, lock, isService = false }: LiveOptions,
): Promise<EdgeError | undefined> {
  const { file } = loaded.config.logging;
  const redact = [...Object.values(loaded.secrets), ...networkSecrets(loaded.network)];
  const remakesDirectory = !file.startsWith(loaded.config.state.directory);
  const log = createLogger({
    file,
    ...logSettings(loaded.config),
    console: process.stdout,
    redact,
    remakesDirectory,
  });
  const { logger } = log;
  const onMistake = (fault: unknown) =>
    logger.error(`Internal error; the agent ends: ${describeError(fault)}`);
  const onRest = (rest: unknown) => logger.error(`Internal error while it stops: ${describeError(rest)}`);
  process.on('uncaughtExceptionMonitor', onMistake);
  try {
    let onFatal: (fault: EdgeError) => void = () => undefined;
    const fatal = new Promise<EdgeError>((resolve) => {
      onFatal = (fault) => {
        // Whatever comes upon it meanwhile, as each timer that reads a damaged store, the agent is stopped in order.
        process.off('uncaughtExceptionMonitor', onMistake);
        process.on('uncaughtException', onRest);
        resolve(fault);
      };
    });
    const complainOfIt = (fault: EdgeError) => void failure(fault);
    const agent = new EdgeAgent({
      loaded,
      env: where.env,
      log,
      onFatal,
      complain: complainOfIt,
      lock,
      isService,
    });
    await agent.start();
    remember(where, loaded, logger);
    if (import.meta.hasCode?.() === false) logger.debug(SLOW_START);
    onStarted?.();
    const fault = await Promise.race([stopped.then(() => undefined), fatal]);
    const limit = systemClock.after(LONGEST_STOP_MS, () => process.exit(EXIT.failed));
    await agent.stop();
    limit.cancel();
    return fault;
  } finally {
    process.off('uncaughtException', onRest);
    process.off('uncaughtExceptionMonitor', onMistake);
    log.close();
  }
}

/** For the emergency stop, should the configuration become unreadable; no reason not to run. */
function remember(where: ConfigPlaces, { config }: LoadedConfig, log: Logger): void {
  try {
    rememberStateDirectory(where, config.state.directory);
  } catch (error) {
    log.warn('The state directory could not be noted at the usual place', { cause: describeError(error) });
  }
}

function failure(error: unknown): number {
  if (!(error instanceof EdgeError)) {
    const trace = error instanceof Error ? error.stack : undefined;
    complain(...`edge-agent: ${trace ?? describeError(error)}`.split('\n'));
    return EXIT.failed;
  }
  complainOf(error);
  const isConfig = error.code === 'config_invalid' || error.code === 'config_unreadable';
  return isConfig ? EXIT.invalidConfig : EXIT.failed;
}
