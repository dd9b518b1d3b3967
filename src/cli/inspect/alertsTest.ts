import { loadConfig } from '../../config/loadConfig.js';
import { testAlerts } from '../../operator/testAlerts.js';
import { EXIT } from '../exitCodes.js';
import { places } from '../places.js';
import { complain, print, printJson } from '../print.js';

/**
 * Tells every configured channel once that this is a test, with or without a running agent: it is done here, not in the agent. Exit
 * 0 if each took it, 2 if none is configured, else 1.
 */
export async function alertsTest(options: { configPath?: string; json?: boolean }): Promise<number> {
  const where = places(options);
  const { config } = loadConfig(where);
  const tested = await testAlerts(config, where);
  if (config.alerts.notify && where.platform !== 'darwin') complain('alerts.notify works on macOS only.');
  if (options.json) printJson(tested);
  for (const end of options.json ? [] : tested.channels) print(`${end.channel}: ${wordsFor(end)}`);
  if (tested.channels.length === 0) {
    complain('edge-agent: No alerts are configured.', 'Set alerts.webhook_url, or on macOS alerts.notify.');
    return EXIT.usage;
  }
  return tested.channels.every(({ kind }) => kind === 'delivered') ? EXIT.ok : EXIT.failed;
}

function wordsFor({ channel, kind, detail }: { channel: string; kind: string; detail?: string }): string {
  if (kind !== 'delivered') return `not delivered: ${detail}. Correct alerts in the configuration.`;
  return channel === 'webhook'
    ? 'delivered'
    : 'handed to macOS. If none shows, allow notifications of Script Editor in System Settings.';
}
