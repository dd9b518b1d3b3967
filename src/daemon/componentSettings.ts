import type { Config } from '../config/schema.js';
import type { LogSettings } from '../logging/createLogger.js';

/** Settings in the words and units of the components that use them: milliseconds, not seconds. */

/** What the outgoing lanes ask at each use. */
export function outgoingSettings({ outgoing, commands, schedule }: Config) {
  return {
    maxTextLength: outgoing.max_text_length,
    resendUnknown: outgoing.on_unknown === 'resend',
    splitLongTexts: outgoing.split_long_texts,
    maxPerMinute: outgoing.max_per_minute,
    maxNewRecipientsPerHour: outgoing.max_new_recipients_per_hour,
    heldAges: {
      text: commands.max_age_seconds * 1000,
      reflex: commands.reflex_max_age_seconds * 1000,
      scheduled: schedule.max_lateness_seconds * 1000,
    },
  };
}

/** What the answers to a message ask at each use. */
export function dispatchSettings({ outgoing }: Config) {
  return { bubbleDelayMs: outgoing.bubble_delay_ms };
}

/** What a send asks at each use. */
export function senderSettings({ imessage, outgoing }: Config) {
  return { timeoutMs: imessage.send_timeout_seconds * 1000, smsFallback: outgoing.sms_fallback };
}

/** What the scheduler asks at each use. */
export function scheduleSettings({ schedule, acks }: Config) {
  return { maxLatenessMs: schedule.max_lateness_seconds * 1000, acks: acks.scheduled };
}

/** What a command is judged by. */
export function commandLimits({ commands, outgoing }: Config) {
  return {
    maxAgeMs: commands.max_age_seconds * 1000,
    reflexMaxAgeMs: commands.reflex_max_age_seconds * 1000,
    bubbleDelayMs: outgoing.bubble_delay_ms,
    maxTextLength: outgoing.max_text_length,
    splitLongTexts: outgoing.split_long_texts,
  };
}

/** How old an incoming message may be. */
export function ageLimits({ imessage }: Config): { maxAgeMs: number; catchUpMs: number } {
  return {
    maxAgeMs: imessage.max_message_age_seconds * 1000,
    catchUpMs: imessage.catch_up_hours * 3600_000,
  };
}

interface HearsOfSettings {
  readonly backend: { credentialsChanged(): void };
  readonly outgoing: { limitsChanged(): void };
  readonly health: { heartbeatChanged(): void; alertsChanged(): void; updatesChanged(): void };
}

/** Most components read a setting at each use; these have something to do right away. */
export function settingsChanged(
  { backend, outgoing, health }: HearsOfSettings,
  keys: readonly string[],
): void {
  if (keys.some((key) => key.startsWith('auth.'))) backend.credentialsChanged();
  if (keys.some((key) => key.startsWith('outgoing.'))) outgoing.limitsChanged();
  if (keys.some((key) => key.startsWith('health.'))) health.heartbeatChanged();
  if (keys.some((key) => key.startsWith('alerts.'))) health.alertsChanged();
  if (keys.some((key) => key.startsWith('updates.'))) health.updatesChanged();
}

const DAY_MS = 86_400_000;

/** The configuration as the log wants it. */
export function logSettings({ logging }: Config): LogSettings {
  return {
    level: logging.level,
    format: logging.format,
    rotate: {
      maxBytes: logging.max_bytes,
      maxAgeMs: logging.max_age_days * DAY_MS,
      keep: logging.keep,
    },
  };
}
