import { concealer } from '../checks/concealer.js';
import { runChecks } from '../checks/runChecks.js';
import { describeError } from '../errors.js';
import { saveReport } from '../selftest/saveReport.js';
import { selftestChecks } from '../selftest/selftestChecks.js';
import { packageVersion } from '../system/version.js';
import { EXIT } from './exitCodes.js';
import { findingLines, summaryLine } from './findingLines.js';
import { openBench } from './openBench.js';
import { complain, print, printJson, stdoutTerminal } from './print.js';

export interface SelftestCommand {
  configPath?: string;
  json?: boolean;
  send?: boolean;
}

/**
 * Puts every assumption about this machine to the test and saves what was found. With or without a running agent. Exit 0
 * without a FAIL, 78 when the configuration is invalid, else 1.
 */
export async function selftest(options: SelftestCommand): Promise<number> {
  const { bench, stateDirectory, secrets } = await openBench({ ...options, send: options.send ?? false });
  const terminal = stdoutTerminal();
  const report = await runChecks({
    bench,
    version: packageVersion(),
    conceal: concealer(secrets, bench.homeDir),
    checks: selftestChecks(),
    ...(options.json ? {} : { onFinding: (finding) => print(...findingLines(finding, terminal)) }),
  });
  if (options.json) printJson(report);
  else print('', summaryLine(report));
  if (stateDirectory !== undefined) save(() => saveReport(report, stateDirectory), options.json ?? false);
  if (bench.config.kind === 'invalid') return EXIT.invalidConfig;
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
