import type { Config } from '../config/schema.js';
import { alertSender, alertSettings } from '../health/alerts/alertSettings.js';
import { testChannels } from '../health/alerts/testChannels.js';
import type { AlertsTested } from '../model/operatorApi.js';
import { systemClock } from '../system/clock.js';
import { packageVersion } from '../system/version.js';

/** Tells each configured channel once that this is a test, from this process. Ends within 10 s; never rejects. */
export function testAlerts(
  config: Config,
  { env, platform }: { env: NodeJS.ProcessEnv; platform: NodeJS.Platform },
): Promise<AlertsTested> {
  const ports = {
    settings: alertSettings(config),
    sender: alertSender(packageVersion()),
    env,
    clock: systemClock,
    signal: new AbortController().signal,
  };
  return testChannels(ports, platform);
}
