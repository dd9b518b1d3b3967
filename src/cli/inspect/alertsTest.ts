import { loadConfig } from '../../config/loadConfig.js';
import type { AlertsTested } from '../../model/operatorApi.js';
import { testAlerts } from '../../operator/testAlerts.js';
import { askAgent } from '../askAgent.js';
import { EXIT } from '../exitCodes.js';
import { places } from '../places.js';
import { complain, print, printJson } from '../print.js';

interface AlertsTestOptions {
  configPath?: string;
  json?: boolean;
}

/** Longer than an agent takes for it. */
const PATIENCE_MS = 15_000;

/**
 * Sends a test alert once to every configured channel. The running agent does it, so that its status reflects the
 * result; if none can, this process does. Exit 0 if each accepted it, 2 if none is configured, else 1.
 */
export async function alertsTest(options: AlertsTestOptions): Promise<number> {
  const asked = await askAgent(options, { verb: 'alerts.test' }, PATIENCE_MS);
  if ('exitCode' in asked) return asked.exitCode;
  const { answer } = asked;
  if (answer.kind === 'answered') return report(answer.result, options);
  const where = places(options);
  const loaded = loadConfig(where);
  const { config } = loaded;
  if (answer.kind !== 'notRunning')
    complain('edge-agent: The agent did not send the test; this command sends it.', answer.message);
  if (config.alerts.notify && where.platform !== 'darwin') complain('alerts.notify works on macOS only.');
  return report(await testAlerts(loaded, where), options);
}

function report(tested: AlertsTested, options: AlertsTestOptions): number {
  if (options.json) printJson(tested);
  for (const end of options.json ? [] : tested.channels) print(`${end.channel}: ${wordsFor(end)}`);
  if (tested.channels.length === 0) {
    complain('edge-agent: No alerts are configured.', 'Set alerts.webhook_url, or on macOS alerts.notify.');
    return EXIT.usage;
  }
  return tested.channels.every(({ kind }) => kind === 'delivered') ? EXIT.ok : EXIT.failed;
}

function wordsFor({ channel, kind, detail }: AlertsTested['channels'][number]): string {
  if (kind !== 'delivered') return `not delivered: ${detail}. Correct alerts in the configuration.`;
  return channel === 'webhook'
    ? 'delivered'
    : 'handed to macOS. If none shows, allow notifications of Script Editor in System Settings.';
}
