import type { RuntimeAnswer } from '../model/operatorApi.js';

/** Of this process. */
export function runtime(isService: boolean): RuntimeAnswer {
  return { node_path: process.execPath, node_version: process.version, is_service: isService };
}
