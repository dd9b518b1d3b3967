import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SimulatedMac } from '../dist/kit/messages/SimulatedMac.js';
import { BareBackend } from './BareBackend.mjs';

export const SECRET = 'bench-secret';

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

/** A Mac and a backend in a separate directory; by default the backend replies to no message. */
export async function openPlaces(startBackend = () => BareBackend.start()) {
  const directory = mkdtempSync(join(tmpdir(), 'edge-agent-bench-'));
  const mac = new SimulatedMac(directory, 26);
  const backend = await startBackend();
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
