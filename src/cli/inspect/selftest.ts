import { concealer } from '../../diagnostics/checks/concealer.js';
import { type Report, runChecks } from '../../diagnostics/checks/runChecks.js';
import { saveReport } from '../../diagnostics/selftest/saveReport.js';
import { selftestChecks } from '../../diagnostics/selftest/selftestChecks.js';
import { namedHosts, writeSendableReport } from '../../diagnostics/selftest/sendableReport.js';
import { describeError, EdgeError } from '../../errors.js';
import { packageVersion } from '../../system/version.js';
import { EXIT } from '../exitCodes.js';
import { complain, complainOf, print, printJson, stdoutTerminal } from '../print.js';
import { findingLines, summaryLine } from './findingLines.js';
import { type OpenContext, openContext } from './openContext.js';

interface SelftestCommand {
  configPath?: string;
  json?: boolean;
  send?: boolean;
  /** The file to be sent to others; true: a name is made. */
  report?: string | true;
}

/**
 * Puts every assumption about this machine to the test and saves what was found. With or without a running agent. Exit 0
 * without a FAIL and with the report written that was asked for, 78 when the configuration is invalid, else 1.
 */
export async function selftest(options: SelftestCommand): Promise<number> {
  const opened = await openContext({ ...options, send: options.send ?? false });
  const { context, stateDirectory, secrets } = opened;
  const terminal = stdoutTerminal();
  const report = await runChecks({
    context,
    version: packageVersion(),
    conceal: concealer(secrets, context.homeDir),
    checks: selftestChecks(),
    ...(options.json ? {} : { onFinding: (finding) => print(...findingLines(finding, terminal)) }),
  });
  if (options.json) printJson(report);
  else print('', summaryLine(report));
  if (stateDirectory !== undefined) save(() => saveReport(report, stateDirectory), options.json ?? false);
  const isWritten = options.report === undefined || writeReport(report, opened, options);
  if (context.config.kind === 'invalid') return EXIT.invalidConfig;
  return isWritten && report.summary.FAIL === 0 ? EXIT.ok : EXIT.failed;
}

/** Whether it was written; with JSON its path goes to stderr. */
function writeReport(
  report: Report,
  { context: { config, homeDir, node }, secrets }: OpenContext,
  options: SelftestCommand,
): boolean {
  const name = options.report === true ? undefined : options.report;
  const machine = { arch: process.arch, node: node.version };
  try {
    const path = writeSendableReport(report, machine, name, { secrets, homeDir, hosts: namedHosts(config) });
    (options.json ? complain : print)(`Report saved, without texts, numbers and secrets: ${path}`);
    return true;
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    complainOf(error);
    return false;
  }
}

function save(write: () => string, json: boolean): void {
  try {
    const path = write();
    if (!json) print(`Saved: ${path}`);
  } catch (error) {
    complain(`edge-agent: The report could not be saved: ${describeError(error)}`);
  }
}
