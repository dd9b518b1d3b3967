import type { LoadedConfig } from '../config/loadConfig.js';
import { alertSender, alertSettings } from '../health/alerts/alertSettings.js';
import { testChannels } from '../health/alerts/testChannels.js';
import type { AlertsTested } from '../model/operatorApi.js';
import { systemClock } from '../system/clock.js';
import { Outbound } from '../system/Outbound.js';
import { packageVersion } from '../system/version.js';

/** Sends a test alert once to each configured channel, from this process. Ends within 10 s; never rejects. */
export function testAlerts(
  { config, network }: Pick<LoadedConfig, 'config' | 'network'>,
  { env, platform }: { env: NodeJS.ProcessEnv; platform: NodeJS.Platform },
): Promise<AlertsTested> {
  const ports = {
    settings: alertSettings(config),
    sender: alertSender(packageVersion()),
    outbound: new Outbound(() => network),
    env,
    clock: systemClock,
    signal: new AbortController().signal,
  };
  return testChannels(ports, platform);
}
