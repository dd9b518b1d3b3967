import { randomBytes } from 'node:crypto';
import type { GatewaySettings } from '../../src/gateway/gatewaySettings.js';

/** Settings of a gateway under test, with a key of its own. */
export function gatewaySettings<S extends GatewaySettings['storage']>(
  storage: S,
  uploadDirectory: string,
): GatewaySettings & { storage: S } {
  return {
    host: '127.0.0.1',
    port: 0,
    storage,
    key: randomBytes(32),
    keysBefore: [],
    uploads: { kind: 'directory', path: uploadDirectory },
    uploadBytes: 64 * 1024 * 1024,
    registrationToken: undefined,
    plainSecrets: false,
    rate: undefined,
    silenceMs: 60_000,
    closesPerSecond: 1_000,
    answerMs: 25_000,
    allowPrivateWebhooks: true,
    network: { noProxy: '' },
    keepDays: 90,
  };
}
