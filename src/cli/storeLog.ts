import type { Logger } from '../logging/Logger.js';
import { complain } from './print.js';

const silence = () => undefined;

/** What opening a store or a database finds out (damage) is for the operator who is there. */
export const storeLog: Logger = {
  debug: silence,
  info: silence,
  warn: (message) => complain(`edge-agent: ${message}`),
  error: (message) => complain(`edge-agent: ${message}`),
};
