import { systemClock } from '../../system/clock.js';
import { ago } from '../../system/time.js';
import { askAgent } from '../askAgent.js';
import { EXIT } from '../exitCodes.js';
import { interruption, wait } from '../interruption.js';
import { print, printJson, stdoutTerminal } from '../print.js';
import { wrap } from '../terminal.js';
import { LiveScreen } from './LiveScreen.js';
import { reportOf, type StatusOptions, type StatusReport, withoutSnapshot } from './status.js';
import { statusScreen } from './statusScreen.js';

const EVERY_MS = 1_000;

/**
 * Shows the status every second until SIGINT or SIGTERM, whether or not an agent is running: on a terminal in place,
 * elsewhere one screen after the other, with `--json` one object per line.
 */
export async function watch(options: StatusOptions): Promise<number> {
  const stop = interruption();
  const screen = process.stdout.isTTY && options.json !== true ? new LiveScreen(process.stdout) : undefined;
  let seenAt: string | null = null;
  screen?.open();
  try {
    while (!stop.aborted) {
      const asked = await askAgent(options, { verb: 'status' });
      if ('exitCode' in asked) return asked.exitCode;
      if (stop.aborted) break;
      const report = reportOf(asked);
      const now = systemClock.now();
      if (report.kind === 'snapshot') seenAt = new Date(now).toISOString();
      if (options.json === true) {
        printJson(report.kind === 'snapshot' ? report.snapshot : withoutSnapshot(report), true);
      } else {
        const lines = linesOf(report, now, seenAt);
        if (screen === undefined) print(...lines, '');
        else screen.draw([...lines, '', 'Ctrl-C ends this.']);
      }
      await wait(EVERY_MS, stop);
    }
  } finally {
    screen?.close();
  }
  return EXIT.ok;
}

function linesOf(report: StatusReport, now: number, seenAt: string | null): string[] {
  const terminal = stdoutTerminal();
  if (report.kind === 'snapshot') return statusScreen(report.snapshot, now, terminal);
  const before = seenAt === null ? [] : [`It answered ${ago(seenAt, now)}.`];
  return [...wrap(report.message, terminal.columns, '', '  '), report.remedy, ...before];
}
