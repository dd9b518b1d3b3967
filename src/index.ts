export { ConfigError, type Mistake } from './config/ConfigError.js';
export { type LoadedConfig, loadConfig } from './config/loadConfig.js';
export type { ConfigPlaces } from './config/places.js';
export type { Config } from './config/schema.js';
export { EdgeAgent, type EdgeAgentOptions } from './daemon/EdgeAgent.js';
export { EdgeError, ERROR_CODES, type ErrorCode } from './errors.js';
export { createLogger, type LogFile, type LogOptions } from './logging/createLogger.js';
export type { Problem, StatusSnapshot } from './operator/snapshot.js';
