import { ERROR_CODES } from '../../model/errorCodes.js';
import { duration, iso } from '../../system/time.js';
import type { Alert } from './alertBook.js';

/** Which agent speaks. */
export interface AlertSender {
  /** The name of this machine. The id of the agent is none: it mostly holds the phone number. */
  readonly host: string;
  readonly version: string;
}

/** What the receiver of a webhook takes. */
export type WebhookForm = 'json' | 'slack' | 'discord';

/** One line for a person: codes and what they mean in general. Nothing of a message, of a number, or of this case is in it. */
export function alertWords(alert: Alert, { host }: AlertSender): string {
  const who = `edge-agent on ${host}`;
  switch (alert.event) {
    case 'degraded': {
      const problems = alert.codes.map((code) => `${code} (${ERROR_CODES[code]})`).join(' ');
      return `${who} has been degraded for ${lasted(alert)}: ${problems} See: edge-agent status`;
    }
    case 'healthy':
      return `${who} is healthy again, after ${lasted(alert)}.`;
    case 'set_aside':
      return `${who} set aside ${alert.count === 1 ? 'one item' : `${alert.count} items`} that could not be processed. See: edge-agent queue`;
    case 'test':
      return `${who}: this is a test of the alerts. Nothing is wrong.`;
  }
}

/**
 * The body of the webhook. Slack reads `text`, in which &, < and > are escaped
 * (https://docs.slack.dev/messaging/formatting-message-text); Discord reads `content`, with mentions disabled
 * (https://discord.com/developers/docs/resources/webhook#execute-webhook). The JSON has everything.
 */
export function webhookBody(alert: Alert, sender: AlertSender, form: WebhookForm): Record<string, unknown> {
  const text = alertWords(alert, sender);
  switch (form) {
    case 'slack':
      return { text: text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;') };
    case 'discord':
      return { content: text.slice(0, 2000), allowed_mentions: { parse: [] } };
    case 'json':
      return {
        schema: 1,
        id: alert.id,
        event: alert.event,
        at: iso(alert.at),
        host: sender.host,
        version: sender.version,
        degraded_since: alert.since === null ? null : iso(alert.since),
        problems: alert.codes.map((code) => ({ code, meaning: ERROR_CODES[code] })),
        set_aside: alert.count,
        text,
      };
  }
}

function lasted({ at, since }: Alert): string {
  return duration(Math.max(0, at - (since ?? at)) / 1000);
}
