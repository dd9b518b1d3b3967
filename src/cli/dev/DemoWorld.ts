import { type Persona, scripted } from '../../kit/backend/persona.js';
import { SimulatedBackend } from '../../kit/backend/SimulatedBackend.js';
import { DemoMac } from './DemoMac.js';
import type { DemoScreen } from './demoScreen.js';

const SECRET = 'demo-secret';

/** What the backend says to Ann's messages, one after the other. */
const ANSWERS = [
  { reflex: 'okie lemme see', bubbles: ['found one at $429', 'want the link?'] },
  { reflex: 'sure thing', bubbles: ['here: example.com/mini'], form: 'reflex_burst', burstDelayMs: 300 },
  { bubbles: ['any time!'], form: 'reply_text' },
] as const;

interface DemoOptions {
  /** Who answers Ann; the story of the demo unless given. */
  persona?: Persona;
  /** Whether the agent's log is shown among the rest; true unless given. */
  showLog?: boolean;
}

/** A complete system: a simulated Mac, a simulated backend, and the real agent between them. */
export class DemoWorld {
  private constructor(
    readonly mac: DemoMac,
    readonly backend: SimulatedBackend,
  ) {}

  static async open(screen: DemoScreen, options: DemoOptions = {}): Promise<DemoWorld> {
    const { persona = scripted(ANSWERS), showLog = true } = options;
    const backend = await SimulatedBackend.start({ port: 0, secret: SECRET, persona });
    try {
      return new DemoWorld(DemoMac.open(screen, { url: backend.url, secret: SECRET }, showLog), backend);
    } catch (error) {
      await backend.stop();
      throw error;
    }
  }

  get agent() {
    return this.mac.agent;
  }

  async close(): Promise<void> {
    await this.agent.stop();
    await this.backend.stop();
    await this.mac.close();
  }
}
