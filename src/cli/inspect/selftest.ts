import { concealer } from '../../diagnostics/checks/concealer.js';
import { runChecks } from '../../diagnostics/checks/runChecks.js';
import { saveReport } from '../../diagnostics/selftest/saveReport.js';
import { selftestChecks } from '../../diagnostics/selftest/selftestChecks.js';
import { describeError } from '../../errors.js';
import { packageVersion } from '../../system/version.js';
import { EXIT } from '../exitCodes.js';
import { complain, print, printJson, stdoutTerminal } from '../print.js';
import { findingLines, summaryLine } from './findingLines.js';
import { openContext } from './openContext.js';

interface SelftestCommand {
  configPath?: string;
  json?: boolean;
  send?: boolean;
}

/**
 * Puts every assumption about this machine to the test and saves what was found. With or without a running agent. Exit 0
 * without a FAIL, 78 when the configuration is invalid, else 1.
 */
export async function selftest(options: SelftestCommand): Promise<number> {
  const { context, stateDirectory, secrets } = await openContext({ ...options, send: options.send ?? false });
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
  if (context.config.kind === 'invalid') return EXIT.invalidConfig;
  return report.summary.FAIL === 0 ? EXIT.ok : EXIT.failed;
}

function save(write: () => string, json: boolean): void {
  try {
    const path = write();
    if (!json) print(`Saved: ${path}`);
  } catch (error) {
    complain(`edge-agent: The report could not be saved: ${describeError(error)}`);
  }
}
