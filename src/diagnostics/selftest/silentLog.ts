import type { Logger } from '../../logging/Logger.js';

const silence = () => undefined;

/** A check says what it found in its outcome, not in a log. */
export const silentLog: Logger = { debug: silence, info: silence, warn: silence, error: silence };
