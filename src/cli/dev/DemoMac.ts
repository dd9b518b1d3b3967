import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../config/loadConfig.js';
import { EdgeAgent } from '../../daemon/EdgeAgent.js';
import { SimulatedMac } from '../../kit/messages/SimulatedMac.js';
import { createLogger, type LogFile } from '../../logging/createLogger.js';
import { sleep, systemClock } from '../../system/clock.js';
import { environment } from '../../system/environment.js';
import type { DemoScreen } from './demoScreen.js';

export const ANN = '+13105551234';

/** The agent's own number, which is kept for fiction. */
export const OWN_NUMBER = '+13105550100';

/** Where the agent's backend is, and the secret that they share. */
interface DemoBackend {
  readonly url: string;
  readonly secret: string;
}

/** A simulated Mac in a temporary directory, and the real agent on it. */
export class DemoMac {
  private seen = 0;

  private constructor(
    private readonly directory: string,
    private readonly mac: SimulatedMac,
    readonly agent: EdgeAgent,
    private readonly log: LogFile,
    private readonly screen: DemoScreen,
  ) {}

  /** `showLog`: the agent's log is shown among the rest. It is in a file in any case. */
  static open(screen: DemoScreen, backend: DemoBackend, showLog: boolean): DemoMac {
    const directory = mkdtempSync(join(tmpdir(), 'edge-agent-demo-'));
    try {
      return DemoMac.in(directory, screen, backend, showLog);
    } catch (error) {
      rmSync(directory, { recursive: true, force: true });
      throw error;
    }
  }

  private static in(directory: string, screen: DemoScreen, backend: DemoBackend, showLog: boolean): DemoMac {
    const mac = new SimulatedMac(directory, 26);
    mac.chatDb.directChat(ANN);
    const state = join(directory, 'state');
    const env = {
      PATH: environment().PATH,
      HOME: directory,
      EDGE_SECRET: backend.secret,
      USER_PHONE: OWN_NUMBER,
      BACKEND_URL: backend.url,
      EDGE_STATE_DIRECTORY: state,
      EDGE_IMESSAGE_DB_PATH: mac.chatDbPath,
      EDGE_IMESSAGE_OSASCRIPT_PATH: mac.osascriptPath,
      EDGE_BACKEND_SYNC_INTERVAL_SECONDS: '1',
      EDGE_OUTGOING_BUBBLE_DELAY_MS: '300',
      // On a Mac the real Messages is none of the demo's business.
      EDGE_SUPERVISOR_ENABLED: 'false',
      EDGE_SUPERVISOR_CAFFEINATE: 'false',
      // The usual port is the real agent's.
      EDGE_MONITOR_PORT: '0',
    };
    // For verbs in another terminal: `edge-agent --config <this file> send …`.
    writeFileSync(
      join(directory, 'config.yaml'),
      JSON.stringify({
        edge: { user_phone: OWN_NUMBER },
        backend: { url: backend.url },
        state: { directory: state },
      }),
    );
    writeFileSync(join(directory, '.env'), `EDGE_SECRET=${backend.secret}\n`, { mode: 0o600 });
    const loaded = loadConfig({ env, cwd: directory, homeDir: directory, platform: process.platform });
    const log = createLogger({
      file: loaded.config.logging.file,
      level: 'info',
      format: 'text',
      ...(showLog ? { console: screen.agentLog() } : {}),
      redact: [backend.secret],
    });
    return new DemoMac(directory, mac, new EdgeAgent({ loaded, env, log }), log, screen);
  }

  /** The configuration of this agent, for `--config`. */
  get configPath(): string {
    return join(this.directory, 'config.yaml');
  }

  /** Ann writes a message; it goes into chat.db as Messages would put it there. */
  annWrites(text: string): void {
    this.screen.line('person', text);
    this.mac.chatDb.receive({ from: ANN, text });
  }

  /** Shows what Messages has sent since the last look. */
  showSent(): void {
    const sent = this.mac.sent();
    for (const { text, target } of sent.slice(this.seen)) {
      this.screen.line('messages', `→ ${target.includes(ANN) ? 'Ann' : target}: ${text}`);
    }
    this.seen = sent.length;
  }

  /** The texts that Ann has got. */
  get texts(): string[] {
    return this.mac.sent().map(({ text }) => text);
  }

  /** True as soon as the condition holds, false after `timeoutMs`; shows what is sent meanwhile. */
  async until(condition: () => boolean, timeoutMs = 6_000): Promise<boolean> {
    const end = systemClock.monotonic() + timeoutMs;
    for (;;) {
      this.showSent();
      if (condition()) return true;
      if (systemClock.monotonic() > end) return false;
      await sleep(systemClock, 20);
    }
  }

  /** Ends the agent, and removes everything. */
  async close(): Promise<void> {
    await this.agent.stop();
    this.mac.close();
    this.log.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
