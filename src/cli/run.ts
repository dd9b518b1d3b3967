import { EdgeAgent } from '../agent/EdgeAgent.js';
import { logSettings } from '../agent/logSettings.js';
import { loadConfig } from '../config/loadConfig.js';
import { describeError, EdgeError } from '../errors.js';
import { createLogger, type LogFile } from '../logging/createLogger.js';
import { EXIT } from './exitCodes.js';
import { places } from './places.js';
import { complain } from './print.js';
import { untilSignal } from './untilSignal.js';

/**
 * Runs the agent until it is told to stop, or meets what only a new start can mend (exit 1; launchd starts it again). SIGTERM and SIGINT drain it (exit 0), a second signal ends it at once. An
 * invalid configuration starts nothing and tells every mistake (exit 78).
 */
export async function run(options: { configPath?: string }): Promise<number> {
  const where = places(options);
  let log: LogFile | undefined;
  try {
    const loaded = loadConfig(where);
    const { file } = loaded.config.logging;
    const redact = Object.values(loaded.secrets);
    log = createLogger({ file, ...logSettings(loaded.config), console: process.stdout, redact });
    const { logger } = log;
    process.on('uncaughtExceptionMonitor', (fault) => {
      logger.error(`A mistake of ours ends the agent: ${describeError(fault)}`);
    });
    let onFatal: (fault: EdgeError) => void = () => undefined;
    const fatal = new Promise<EdgeError>((resolve) => {
      onFatal = resolve;
    });
    const agent = new EdgeAgent({ loaded, env: where.env, log, onFatal });
    const stopped = untilSignal();
    await agent.start();
    const fault = await Promise.race([stopped, fatal]);
    await agent.stop();
    return fault === undefined ? EXIT.ok : failure(fault);
  } catch (error) {
    return failure(error);
  } finally {
    log?.close();
  }
}

function failure(error: unknown): number {
  if (!(error instanceof EdgeError)) {
    complain(`edge-agent: ${error instanceof Error ? (error.stack ?? error.message) : describeError(error)}`);
    return EXIT.failed;
  }
  complain(`edge-agent: ${error.message}`, ...(error.remedy === '' ? [] : [error.remedy]));
  const isConfig = error.code === 'config_invalid' || error.code === 'config_unreadable';
  return isConfig ? EXIT.invalidConfig : EXIT.failed;
}
