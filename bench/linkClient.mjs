/* A process of its own that holds the real line to a backend; its parent asks for its view, and for its end. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Backend } from '../dist/backend/Backend.js';
import { Store } from '../dist/store/Store.js';
import { systemClock } from '../dist/system/clock.js';
import { Outbound } from '../dist/system/Outbound.js';
import { systemRandom } from '../dist/system/random.js';

const url = process.argv[2];
const directory = mkdtempSync(join(tmpdir(), 'edge-agent-link-'));
const quiet = () => undefined;
const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
const store = Store.open(join(directory, 'edge-agent.db'), { clock: systemClock, log });
const settings = {
  userPhone: '+13105550100',
  httpBase: url,
  webSocketUrl: (agentId) => `${url.replace('http', 'ws')}/edge/ws?edge_agent_id=${agentId}`,
  syncIntervalSeconds: 15,
  requestTimeoutSeconds: 10,
  safetySyncSeconds: 300,
  websocketEnabled: true,
  reconnectAttempts: 10,
  pingIntervalSeconds: 30,
  authMode: 'hmac',
  allowPlainSecret: false,
};
const network = { noProxy: '' };
const backend = new Backend({
  config: () => settings,
  secrets: () => ({ edgeSecret: 'bench-secret' }),
  outbound: new Outbound(() => network),
  version: '0.0.0',
  clock: systemClock,
  random: systemRandom,
  log,
  store,
  inbox: { receive: quiet },
  snapshot: () => ({ state: 'healthy' }),
  onConfigUpdate: quiet,
});
backend.start();

process.on('message', async (asked) => {
  if (asked === 'view') {
    process.send(backend.view());
    return;
  }
  await backend.drain(3_000);
  store.close();
  rmSync(directory, { recursive: true, force: true });
  // Nothing may keep the process running: it ends on its own, or the parent reports that it did not.
  process.disconnect();
});
