import { carryOut } from './carryOut.js';
import { type StatusOptions, status } from './inspect/status.js';

/** `edge-agent status`, with nothing loaded that other verbs need. Never rejects. */
export function quickStatus(options: StatusOptions): Promise<void> {
  return carryOut(async () => {
    process.exitCode = await status(options);
  });
}
