import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../dist/config/loadConfig.js';
import { EdgeAgent } from '../dist/daemon/EdgeAgent.js';
import { silent } from '../dist/kit/backend/persona.js';
import { SimulatedBackend } from '../dist/kit/backend/SimulatedBackend.js';
import { SimulatedMac } from '../dist/kit/messages/SimulatedMac.js';
import { createLogger } from '../dist/logging/createLogger.js';

const SECRET = 'bench-secret';

/** The environment that configures an agent for a simulated Mac and backend. */
export function agentEnvironment({ directory, backend, mac }) {
  return {
    PATH: process.env.PATH,
    HOME: directory,
    EDGE_SECRET: SECRET,
    USER_PHONE: '+13105550100',
    BACKEND_URL: backend.url,
    EDGE_STATE_DIRECTORY: join(directory, 'state'),
    EDGE_IMESSAGE_DB_PATH: mac.chatDbPath,
    EDGE_IMESSAGE_OSASCRIPT_PATH: mac.osascriptPath,
    // What is measured is how fast it can be.
    EDGE_OUTGOING_MAX_PER_MINUTE: '0',
    EDGE_OUTGOING_PAUSE_ON_LOOP: 'false',
    EDGE_MONITOR_ENABLED: 'false',
    EDGE_SUPERVISOR_ENABLED: 'false',
    EDGE_SUPERVISOR_CAFFEINATE: 'false',
  };
}

/** A Mac and a backend, which answers no message unless told to, in a directory of their own. */
export async function openPlaces(persona = silent) {
  const directory = mkdtempSync(join(tmpdir(), 'edge-agent-bench-'));
  const mac = new SimulatedMac(directory, 26);
  const backend = await SimulatedBackend.start({ port: 0, secret: SECRET, persona });
  return {
    directory,
    mac,
    backend,
    async close() {
      await backend.stop();
      mac.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** The whole agent in this process, connected, with its log at info going to its file as it does in service. */
export async function startAgent(places, extra = {}) {
  const env = { ...agentEnvironment(places), ...extra };
  const { directory } = places;
  const loaded = loadConfig({ env, cwd: directory, homeDir: directory, platform: process.platform });
  const { file } = loaded.config.logging;
  const log = createLogger({ file, level: 'info', format: 'text', redact: [SECRET] });
  const agent = new EdgeAgent({ loaded, env, log });
  await agent.start();
  await places.backend.until((backend) => backend.statuses.length > 0, 10_000);
  return {
    agent,
    async stop() {
      await agent.stop();
      log.close();
    },
  };
}
