import type { StatusSnapshot } from '../status/snapshot.js';
import { systemClock } from '../system/clock.js';
import { environment } from '../system/environment.js';
import { askAgent } from './askAgent.js';
import { EXIT } from './exitCodes.js';
import { complain, print, wantsColour } from './print.js';
import { statusScreen } from './statusScreen.js';

/** Asks the running agent how it is; never guesses from files. The exit code tells the same as the screen. */
export async function status(options: { configPath?: string; json: boolean }): Promise<number> {
  const asked = await askAgent(options, { verb: 'status' });
  if ('exitCode' in asked) return asked.exitCode;
  const { directory, answer } = asked;
  switch (answer.kind) {
    case 'notRunning':
      report(
        options.json,
        'not_running',
        `No edge-agent is running on ${directory}.`,
        'Start it: edge-agent run',
      );
      return EXIT.notRunning;
    case 'cannotTell':
      report(options.json, 'status_unavailable', `Cannot tell how edge-agent is: ${answer.message}.`, REMEDY);
      return EXIT.cannotTell;
    case 'refused':
      report(options.json, answer.code, `Cannot tell how edge-agent is: ${answer.message}`, answer.remedy);
      return EXIT.cannotTell;
    case 'answered': {
      const snapshot = answer.result as StatusSnapshot;
      if (options.json) print(JSON.stringify(snapshot, null, 2));
      else print(...statusScreen(snapshot, systemClock.now(), wantsColour(process.stdout, environment())));
      return snapshot.state === 'healthy' ? EXIT.ok : EXIT.degraded;
    }
  }
}

const REMEDY = 'Run this as the user whose agent it is; if that is so, restart the agent.';

function report(json: boolean, code: string, message: string, remedy: string): void {
  if (json) print(JSON.stringify({ schema: 1, error: { code, message, remedy } }, null, 2));
  else complain(`edge-agent: ${message}`, remedy);
}
