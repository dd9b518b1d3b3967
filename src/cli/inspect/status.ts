import type { StatusSnapshot } from '../../model/status.js';
import { CANNOT_ASK_REMEDY } from '../../operator/askDaemon.js';
import { systemClock } from '../../system/clock.js';
import { type AgentAnswer, askAgent, startRemedy } from '../askAgent.js';
import { EXIT } from '../exitCodes.js';
import { complain, print, printJson, stdoutTerminal } from '../print.js';
import { statusScreen } from './statusScreen.js';

export interface StatusOptions {
  configPath?: string;
  json?: boolean;
}

/** The agent's own word on how it is, or why there is none. */
export type StatusReport =
  | { kind: 'snapshot'; snapshot: StatusSnapshot }
  | { kind: 'none'; code: string; message: string; remedy: string; exitCode: number };

/** Shows the status of the running agent; never guesses from files. The exit code agrees with the screen. */
export async function status(options: StatusOptions): Promise<number> {
  const asked = await askAgent(options, { verb: 'status' });
  if ('exitCode' in asked) return asked.exitCode;
  const report = reportOf(asked);
  if (report.kind === 'none') {
    if (options.json === true) printJson(withoutSnapshot(report));
    else complain(`edge-agent: ${report.message}`, report.remedy);
    return report.exitCode;
  }
  const { snapshot } = report;
  if (options.json === true) printJson(snapshot);
  else print(...statusScreen(snapshot, systemClock.now(), stdoutTerminal()));
  return snapshot.state === 'healthy' ? EXIT.ok : EXIT.degraded;
}

export function reportOf({ where, directory, answer }: AgentAnswer<StatusSnapshot>): StatusReport {
  switch (answer.kind) {
    case 'answered':
      return { kind: 'snapshot', snapshot: answer.result };
    case 'notRunning':
      return {
        kind: 'none',
        code: 'not_running',
        message: `No edge-agent is running on ${directory}.`,
        remedy: startRemedy(where),
        exitCode: EXIT.notRunning,
      };
    case 'cannotTell':
    case 'refused':
      return {
        kind: 'none',
        code: answer.kind === 'refused' ? answer.code : 'status_unavailable',
        message: `Cannot get the status of edge-agent: ${answer.message.replace(/\.$/, '')}.`,
        remedy: answer.kind === 'refused' ? answer.remedy : CANNOT_ASK_REMEDY,
        exitCode: EXIT.cannotTell,
      };
  }
}

/** What `--json` prints if there is no answer. */
export function withoutSnapshot({ code, message, remedy }: Extract<StatusReport, { kind: 'none' }>): object {
  return { schema: 1, error: { code, message, remedy } };
}
