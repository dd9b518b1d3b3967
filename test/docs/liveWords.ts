import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { loadConfig } from '../../src/config/loadConfig.js';
import { EdgeAgent } from '../../src/daemon/EdgeAgent.js';
import { silent } from '../../src/kit/backend/persona.js';
import { SimulatedBackend } from '../../src/kit/backend/SimulatedBackend.js';
import { createLogger } from '../../src/logging/createLogger.js';
import { temporaryDirectory } from '../support/temporaryStore.js';

/** What a real agent (without chat.db, so that it has a problem to report) sends to a backend when it starts. */
export async function liveWords(): Promise<
  Record<'registration' | 'sync' | 'status', Record<string, unknown>>
> {
  const directory = temporaryDirectory();
  const secret = 'docs-secret';
  const backend = await SimulatedBackend.start({ port: 0, secret, persona: silent });
  onTestFinished(() => backend.stop());
  const env = {
    EDGE_SECRET: secret,
    REGISTRATION_TOKEN: 'docs-token',
    USER_PHONE: '+13105550100',
    BACKEND_URL: backend.url,
    EDGE_EDGE_APPLE_ID: 'someone@example.com',
    EDGE_MONITOR_ENABLED: 'false',
    EDGE_SUPERVISOR_ENABLED: 'false',
    EDGE_SUPERVISOR_CAFFEINATE: 'false',
    EDGE_STATE_DIRECTORY: join(directory, 'state'),
    EDGE_IMESSAGE_DB_PATH: join(directory, 'chat.db'),
  };
  const loaded = loadConfig({ env, cwd: directory, homeDir: directory, platform: process.platform });
  const log = createLogger({ file: loaded.config.logging.file, level: 'error', format: 'text' });
  const agent = new EdgeAgent({ loaded, env, log });
  await agent.start();
  onTestFinished(async () => {
    await agent.stop();
    log.close();
  });
  const { registrations, syncs, statuses } = backend.journal;
  const socketStatus = () => statuses.find(({ channel }) => channel === 'websocket')?.body;
  await backend.until(() => syncs.length > 0 && socketStatus() !== undefined);
  return {
    registration: registrations[0]?.body ?? {},
    sync: syncs[0]?.body ?? {},
    status: socketStatus() ?? {},
  };
}
