import type { RuntimeAnswer } from '../model/operatorApi.js';

/** Of this process. */
export function runtime(): RuntimeAnswer {
  return { node_path: process.execPath, node_version: process.version };
}
