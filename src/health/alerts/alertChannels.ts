import * as http from 'node:http';
import * as https from 'node:https';
import { describeError } from '../../errors.js';
import { childEnvironment } from '../../system/childEnvironment.js';
import type { Clock } from '../../system/clock.js';
import type { Outbound } from '../../system/Outbound.js';
import { runProgram } from '../../system/runProgram.js';

import type { Alert, AlertChannel } from './alertBook.js';
import { type AlertSender, alertWords, type WebhookForm, webhookBody } from './alertWords.js';

/** What came of one attempt. `failed`: it may do later. `refused`: the same will be refused again. `detail` names no part of a URL. */
export type AlertEnd =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'failed' | 'refused'; readonly detail: string };

export interface ChannelSettings {
  readonly webhookUrl: string | undefined;
  readonly webhookBody: WebhookForm;
  readonly notify: boolean;
  readonly osascriptPath: string;
}

export interface ChannelPorts {
  readonly settings: ChannelSettings;
  readonly sender: AlertSender;
  readonly outbound: Outbound;
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const DEADLINE_MS = 10_000;
/**
 * What a receiver says of the alert itself (RFC 9110). Every other answer may come from something on the way, as a captive portal or a
 * proxy, or be over soon, as that of a receiver that is being set up.
 */
const VERDICTS = new Set([400, 413, 422]);

/** The text is argument 1, the title argument 2: nothing of them is read as AppleScript. */
const NOTIFICATION = `on run argv
	display notification (item 1 of argv) with title (item 2 of argv)
end run`;

/** The channels that are switched on. A notification there is only on macOS. */
export function channelsOf(
  { webhookUrl, notify }: ChannelSettings,
  platform: NodeJS.Platform,
): AlertChannel[] {
  return [
    ...(webhookUrl === undefined ? [] : ['webhook' as const]),
    ...(notify && platform === 'darwin' ? ['notification' as const] : []),
  ];
}

/** Sends one alert by one channel, once. Never rejects; ends within 10 s. */
export function deliverAlert(alert: Alert, channel: AlertChannel, ports: ChannelPorts): Promise<AlertEnd> {
  return channel === 'webhook' ? post(alert, ports) : notify(alert, ports);
}

/**
 * POSTs the alert. Follows no redirect, which would send it to another host. Addresses of the local network are
 * allowed: only the operator sets the URL, and many have their alerting there.
 */
async function post(
  alert: Alert,
  { settings, sender, outbound, clock, signal }: ChannelPorts,
): Promise<AlertEnd> {
  const { webhookUrl, webhookBody: form } = settings;
  if (webhookUrl === undefined) return { kind: 'failed', detail: 'alerts.webhook_url is not set' };
  const deadline = new AbortController();
  const timer = clock.after(DEADLINE_MS, () =>
    deadline.abort(new Error(`no answer in ${DEADLINE_MS / 1000} s`)),
  );
  const body = Buffer.from(JSON.stringify(webhookBody(alert, sender, form)));
  try {
    const either = AbortSignal.any([deadline.signal, signal]);
    const status = await statusOf(new URL(webhookUrl), body, outbound, either);
    if (status >= 200 && status < 300) return { kind: 'delivered' };
    return { kind: VERDICTS.has(status) ? 'refused' : 'failed', detail: `HTTP ${status}` };
  } catch (error) {
    return { kind: 'failed', detail: wordOf(error) };
  } finally {
    timer.cancel();
  }
}

function statusOf(url: URL, body: Buffer, outbound: Outbound, signal: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = {
      'Content-Type': 'application/json',
      'Content-Length': body.length,
      'User-Agent': 'edge-agent',
    };
    const options = { ...outbound.once(url), method: 'POST', signal, headers };
    const module = url.protocol === 'https:' ? https : http;
    const request = module.request(url, options, (response) => {
      resolve(response.statusCode ?? 0);
      request.destroy();
    });
    request.on('error', (error) => reject(signal.aborted ? signal.reason : error));
    request.end(body);
  });
}

/** The system's word where it has one: its message would name the address. */
function wordOf(error: unknown): string {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : describeError(error);
}

async function notify(alert: Alert, { settings, sender, env, clock }: ChannelPorts): Promise<AlertEnd> {
  const args = ['-e', NOTIFICATION, alertWords(alert, sender), 'edge-agent'];
  const end = await runProgram(settings.osascriptPath, args, {
    env: childEnvironment(env),
    clock,
    timeoutMs: DEADLINE_MS,
  });
  if (end.kind === 'ended' && end.code === 0) return { kind: 'delivered' };
  if (end.kind === 'notStarted') return { kind: 'failed', detail: end.message };
  if (end.kind === 'timedOut')
    return { kind: 'failed', detail: `osascript did not end in ${DEADLINE_MS / 1000} s` };
  return { kind: 'failed', detail: `osascript ended with ${end.code ?? 'a signal'}` };
}
