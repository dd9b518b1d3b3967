import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type LoadedConfig, loadConfig } from '../../src/config/loadConfig.js';
import { EdgeAgent } from '../../src/daemon/EdgeAgent.js';
import { createLogger } from '../../src/logging/createLogger.js';
import type { InstanceLock } from '../../src/store/InstanceLock.js';
import { temporaryDirectory } from './temporaryStore.js';

/**
 * An agent in this process, without a Mac and without a backend: once started, it runs degraded. Stopped with the test.
 * `change`: what a program that embeds it makes of what was loaded.
 */
export function agentInProcess(
  variables: Readonly<Record<string, string>>,
  lock?: (state: string) => InstanceLock,
  change = (loaded: LoadedConfig): LoadedConfig => loaded,
): { agent: EdgeAgent; state: string; logFile: string } {
  const directory = temporaryDirectory();
  const state = join(directory, 'state');
  const env = {
    PATH: process.env.PATH,
    HOME: directory,
    USER_PHONE: '+13105550100',
    BACKEND_URL: 'http://127.0.0.1:9',
    EDGE_STATE_DIRECTORY: state,
    EDGE_IMESSAGE_DB_PATH: join(directory, 'chat.db'),
    ...variables,
  };
  const loaded = change(loadConfig({ env, cwd: directory, homeDir: directory, platform: 'linux' }));
  const logFile = loaded.config.logging.file;
  const log = createLogger({ file: logFile, level: 'info', format: 'text' });
  const agent = new EdgeAgent({ loaded, env, log, platform: 'linux', lock: lock?.(state) });
  onTestFinished(async () => {
    await agent.stop();
    log.close();
  });
  return { agent, state, logFile };
}
