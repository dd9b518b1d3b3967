import type { Clock } from '../system/clock.js';
import { CLOSE, type Client } from './Client.js';
import { encodeFrame } from './monitorFrames.js';

const PING_EVERY_MS = 30_000;
const SILENT_MS = 60_000;
const WARN_BEFORE_MS = 5 * 60_000;

/**
 * What is due for a client: a ping of ours and one of RFC 6455 every 30 s (an answer to either is a sign of life), the end after 60 s of silence or when its token has expired. `warn`, once:
 * its session ends within 5 minutes.
 */
export function keepAlive(client: Client, clock: Clock): 'warn' | undefined {
  if (!client.isOpen) return undefined;
  const now = clock.monotonic();
  const left = (client.session?.expiresAt ?? Infinity) - clock.now();
  if (now - client.lastFrameAt > SILENT_MS) client.close(CLOSE.silent, 'No frame for 60 s', true);
  else if (left <= 0) client.close(CLOSE.expired, 'The token has expired');
  else if (now - client.pingedAt >= PING_EVERY_MS) {
    client.pingedAt = now;
    client.write([encodeFrame({ type: 'ping' }, clock.now())]);
    client.ping();
  }
  if (left > WARN_BEFORE_MS || left <= 0 || client.warned) return undefined;
  client.warned = true;
  // A token that was short from the start is no surprise.
  return now - client.since > WARN_BEFORE_MS ? 'warn' : undefined;
}
