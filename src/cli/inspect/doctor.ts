import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { backendSettings } from '../../backend/settings.js';
import { settingsInForce } from '../../daemon/LiveConfig.js';
import type { CheckContext } from '../../diagnostics/checks/check.js';
import { concealer } from '../../diagnostics/checks/concealer.js';
import { type Report, runChecks } from '../../diagnostics/checks/runChecks.js';
import { writeBundle } from '../../diagnostics/doctor/bundle.js';
import { collectors } from '../../diagnostics/doctor/collectors.js';
import { doctorChecks } from '../../diagnostics/doctor/doctorChecks.js';
import { saveReport } from '../../diagnostics/selftest/saveReport.js';
import { describeError, EdgeError } from '../../errors.js';
import { redactor } from '../../logging/formatLine.js';
import type { SettingInForce } from '../../model/operatorApi.js';
import { PACKAGE_ROOT } from '../../system/packageRoot.js';
import { packageVersion } from '../../system/version.js';
import { EXIT } from '../exitCodes.js';
import { complain, complainOf, print, printJson, stdoutTerminal } from '../print.js';
import { findingLines, summaryLine } from './findingLines.js';
import { type OpenContext, openContext } from './openContext.js';

interface DoctorCommand {
  configPath?: string;
  json?: boolean;
  /** The file for support; true: a name is made. */
  bundle?: string | true;
}

/** The template of the LaunchAgent that comes with this version. */
const TEMPLATE = join(PACKAGE_ROOT, 'launchd', 'edge-agent.plist');

/** Looks at everything that this installation needs, and changes nothing of it. Exit 0 without a FAIL, else 1. */
export async function doctor(options: DoctorCommand): Promise<number> {
  const opened = await openContext({ ...options, send: false });
  const { context, secrets } = opened;
  const terminal = stdoutTerminal();
  const report = await runChecks({
    context,
    version: packageVersion(),
    // On the operator's own screen paths are shown as they are: they are what is to be allowed.
    conceal: redactor(secrets),
    checks: doctorChecks({ version: packageVersion(), template: TEMPLATE, backendSettings }),
    ...(options.json ? {} : { onFinding: (finding) => print(...findingLines(finding, terminal)) }),
  });
  if (options.json) printJson(report);
  else print('', summaryLine(report));
  if (opened.stateDirectory !== undefined) keep(report, opened.stateDirectory);
  const isSound = report.summary.FAIL === 0;
  if (options.bundle === undefined) return isSound ? EXIT.ok : EXIT.failed;
  return (await bundle(opened, report, options)) && isSound ? EXIT.ok : EXIT.failed;
}

/** For the monitor. Where the agent has never been, nothing is made for it. */
function keep(report: Report, stateDirectory: string): void {
  if (!existsSync(stateDirectory)) return;
  try {
    saveReport(report, stateDirectory, 'doctor.json');
  } catch (error) {
    complain(`edge-agent: The report could not be kept for the monitor: ${describeError(error)}`);
  }
}

/** Whether the archive was written; with JSON its path goes to stderr. */
async function bundle(
  { context, secrets, stateDirectory }: OpenContext,
  report: Report,
  options: DoctorCommand,
): Promise<boolean> {
  const stamp = report.at.replace(/\.\d+Z$/, 'Z').replaceAll(':', '-');
  const name = options.bundle === true ? `edge-agent-bundle-${stamp}.tar.gz` : (options.bundle ?? '');
  const path = resolve(name);
  const parts = collectors({
    context,
    stateDirectory,
    report,
    version: packageVersion(),
    settings: () => settingsOf(context),
  });
  try {
    const written = await writeBundle(path, parts, concealer(secrets, context.homeDir));
    const failed = written.filter(({ error }) => error !== undefined).map((file) => file.name);
    const missing = failed.length === 0 ? '' : ` (could not be collected: ${failed.join(', ')})`;
    (options.json ? complain : print)(
      `Saved for support, without texts, numbers and secrets: ${path}${missing}`,
    );
    return true;
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    complainOf(error);
    return false;
  }
}

/** Those of the running agent, else those that one would start with. */
async function settingsOf(context: CheckContext): Promise<readonly SettingInForce[]> {
  const answer = await context.askAgent({ verb: 'config' });
  if (answer.kind === 'answered') return answer.result;
  if (context.config.kind === 'invalid') throw new Error('the configuration is invalid');
  return settingsInForce(context.config.loaded, new Map());
}
