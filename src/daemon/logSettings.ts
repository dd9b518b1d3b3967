import type { Config } from '../config/schema.js';
import type { LogSettings } from '../logging/createLogger.js';

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
