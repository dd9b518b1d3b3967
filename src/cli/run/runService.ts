import { existsSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { describeError } from '../../errors.js';
import { boundErrorLog } from '../../service/boundErrorLog.js';
import { finishRuntime } from '../../service/runtimePlace.js';
import { type ServicePlaces, servicePlaces } from '../../service/servicePlaces.js';
import { noteThatItRuns } from '../../service/versions.js';
import { PACKAGE_ROOT } from '../../system/packageRoot.js';
import { EXIT } from '../exitCodes.js';
import { complain } from '../print.js';

/**
 * Runs the agent as launchd has it run. An upgrade of node that was interrupted is ended first, before anything is
 * loaded that fits only the new one: the process then ends, and launchd starts the next one with it.
 */
export async function runService(options: { configPath?: string }): Promise<number> {
  const places = servicePlaces(homedir());
  const isInstalled = existsSync(places.current) && realpathSync(places.current) === PACKAGE_ROOT;
  if (isInstalled && finishRuntime(places)) {
    complain('edge-agent: Completed an interrupted upgrade of node; restarting with it.');
    return EXIT.ok;
  }
  if (isInstalled) boundErrorLog(process.stderr.fd);
  const onStarted = () => {
    if (isInstalled) noteRun(places);
  };
  return (await import('./run.js')).run({ ...options, service: true, onStarted });
}

/**
 * The installer of this version may not have waited for it. Without the note `rollback` may skip this version, which is
 * no reason to stop.
 */
function noteRun(places: ServicePlaces): void {
  try {
    noteThatItRuns(places);
  } catch (error) {
    complain(`edge-agent: That this version runs could not be noted for rollback: ${describeError(error)}`);
  }
}
