import type { Network } from '../../src/system/network.js';
import { Outbound } from '../../src/system/Outbound.js';

/** The way out: straight to the host unless a test says otherwise. */
export function outboundBy(network: Partial<Network> = {}): Outbound {
  const whole: Network = { noProxy: '', ...network };
  return new Outbound(() => whole);
}
