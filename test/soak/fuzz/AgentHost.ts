import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../../src/config/loadConfig.js';
import { EdgeAgent } from '../../../src/daemon/EdgeAgent.js';
import { ChatDbWriter } from '../../../src/kit/messages/ChatDbWriter.js';
import { createLogger, type LogFile } from '../../../src/logging/createLogger.js';
import { askSocket } from '../../../src/operator/askDaemon.js';
import { socketPath } from '../../../src/operator/socketPath.js';
import { FuzzBackend } from './FuzzBackend.js';

/** Where nothing waits for a disk, if there is such a place: work is what is measured. */
const PLACE = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** A directory of its own for one world. */
export function fuzzDirectory(): string {
  return mkdtempSync(join(PLACE, 'edge-fuzz-'));
}

/** On a machine that is busy with other things an answer may take long, and the agent may hang up before it reads the question. */
const PATIENCE_MS = 60_000;
const QUESTIONS = 20;

/**
 * The complete agent in this process, on a real chat.db and a real store, with a backend that sends what it is given.
 */
export class AgentHost {
  private constructor(
    readonly directory: string,
    readonly backend: FuzzBackend,
    readonly chatDb: ChatDbWriter,
    private readonly agent: EdgeAgent,
    private readonly log: LogFile,
    /** Where the status socket is. */
    readonly socket: string,
  ) {}

  /** Every reader is on; nothing is sent, because every conversation is paused. */
  static async start(settings: Readonly<Record<string, string>> = {}): Promise<AgentHost> {
    const directory = fuzzDirectory();
    const backend = await FuzzBackend.start();
    const chatDb = new ChatDbWriter(join(directory, 'chat.db'), { version: 26 });
    const state = join(directory, 'state');
    const env = {
      PATH: process.env.PATH,
      HOME: directory,
      EDGE_SECRET: 'fuzz-secret-5b1e0c',
      USER_PHONE: '+13105550100',
      BACKEND_URL: backend.url,
      EDGE_STATE_DIRECTORY: state,
      EDGE_IMESSAGE_DB_PATH: chatDb.path,
      EDGE_IMESSAGE_OSASCRIPT_PATH: join(directory, 'osascript'),
      EDGE_SUPERVISOR_ENABLED: 'false',
      EDGE_SUPERVISOR_CAFFEINATE: 'false',
      EDGE_MONITOR_ENABLED: 'false',
      EDGE_HEALTH_ENABLED: 'false',
      ...settings,
    };
    const loaded = loadConfig({ env, cwd: directory, homeDir: directory, platform: process.platform });
    const log = createLogger({ file: loaded.config.logging.file, level: 'info', format: 'text' });
    const agent = new EdgeAgent({ loaded, env, log });
    await agent.start();
    const host = new AgentHost(directory, backend, chatDb, agent, log, socketPath(state, directory));
    await host.ask({ verb: 'pause' });
    return host;
  }

  /** Asks by the status socket what may be asked twice. Throws where it does not answer. */
  async ask(request: { verb: 'kick' | 'pause' }): Promise<void> {
    for (let left = QUESTIONS; ; left -= 1) {
      const answer = await askSocket(this.socket, request, PATIENCE_MS);
      if (answer.kind === 'answered') return;
      if (answer.kind !== 'cannotTell' || left === 1)
        throw new Error(`${request.verb}: ${JSON.stringify(answer)}`);
    }
  }

  async close(): Promise<void> {
    await this.agent.stop();
    await this.backend.close();
    this.chatDb.close();
    this.log.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
