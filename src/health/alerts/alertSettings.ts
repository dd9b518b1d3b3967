import { hostname } from 'node:os';
import type { Config } from '../../config/schema.js';
import { maskContacts } from '../../logging/mask.js';
import type { ChannelSettings } from './alertChannels.js';
import type { AlertSender } from './alertWords.js';

/** What the alerts need of the configuration. */
export function alertSettings({ alerts, imessage }: Config): ChannelSettings & { readonly afterMs: number } {
  return {
    webhookUrl: alerts.webhook_url,
    webhookBody: alerts.webhook_body,
    notify: alerts.notify,
    osascriptPath: imessage.osascript_path,
    afterMs: alerts.after_seconds * 1000,
  };
}

/** The name of this machine, which may contain a phone number. */
export function alertSender(version: string): AlertSender {
  return { host: maskContacts(hostname()), version };
}
