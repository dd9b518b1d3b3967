import type { Config } from '../config/schema.js';
import { channelsOf, deliverAlert } from '../health/alerts/alertChannels.js';
import { alertSender, alertSettings } from '../health/alerts/alertSettings.js';
import { systemClock } from '../system/clock.js';
import { freshId } from '../system/random.js';
import { packageVersion } from '../system/version.js';

interface AlertsTested {
  readonly schema: 1;
  readonly id: string;
  readonly channels: readonly {
    readonly channel: 'webhook' | 'notification';
    readonly kind: 'delivered' | 'failed' | 'refused';
    readonly detail?: string;
  }[];
}

/** Tells each configured channel once that this is a test, from this process. Ends within 10 s; never rejects. */
export async function testAlerts(
  config: Config,
  { env, platform }: { env: NodeJS.ProcessEnv; platform: NodeJS.Platform },
): Promise<AlertsTested> {
  const settings = alertSettings(config);
  const alert = {
    id: freshId('alert'),
    event: 'test',
    at: systemClock.now(),
    since: null,
    codes: [],
    count: 0,
  } as const;
  const ports = {
    settings,
    sender: alertSender(packageVersion()),
    env,
    clock: systemClock,
    signal: new AbortController().signal,
  };
  const channels = await Promise.all(
    channelsOf(settings, platform).map(async (channel) => ({
      channel,
      ...(await deliverAlert(alert, channel, ports)),
    })),
  );
  return { schema: 1, id: alert.id, channels };
}
