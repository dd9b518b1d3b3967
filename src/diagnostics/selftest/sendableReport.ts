import { resolve } from 'node:path';
import { describeError, EdgeError } from '../../errors.js';
import { isLoopback } from '../../system/network.js';
import { writeNewFile } from '../../system/writeNewFile.js';
import type { CheckContext } from '../checks/check.js';
import { concealer } from '../checks/concealer.js';
import type { Report } from '../checks/runChecks.js';

/** Of the machine that was tested: what the findings are about. */
interface Machine {
  readonly arch: string;
  readonly node: string;
}

/** An IPv4 address of another machine, as system errors print it. */
const ADDRESS = /(?<![\d.])(?!127\.)\d{1,3}(?:\.\d{1,3}){3}(?![\d.])/g;

/**
 * Writes the findings to a file (0600) that may be given to others: no text, number, address, secret, name of a user or of the
 * operator's hosts is in it. `name` may be relative; without one it is made of the time. Returns the path. Never overwrites. Throws
 * EdgeError `state_unwritable` when the file cannot be written.
 */
export function writeSendableReport(
  report: Report,
  machine: Machine,
  name: string | undefined,
  hidden: {
    readonly secrets: readonly string[];
    readonly homeDir: string;
    readonly hosts: readonly string[];
  },
): string {
  const stamp = report.at.replace(/\.\d+Z$/, 'Z').replaceAll(':', '-');
  const path = resolve(name ?? `edge-agent-selftest-${stamp}.json`);
  const { secrets, homeDir, hosts } = hidden;
  const concealed = concealer([...secrets, ...hosts], homeDir);
  const conceal = (text: string) => concealed(text).replace(ADDRESS, '[address]');
  const checks = report.checks.map(({ evidence, remedy, ...check }) => ({
    ...check,
    evidence: conceal(evidence),
    ...(remedy === undefined ? {} : { remedy: conceal(remedy) }),
  }));
  try {
    writeNewFile(path, `${JSON.stringify({ ...report, ...machine, checks }, null, 2)}\n`);
  } catch (thrown) {
    const isThere = thrown instanceof Error && 'code' in thrown && thrown.code === 'EEXIST';
    throw new EdgeError(
      'state_unwritable',
      `The report ${path} cannot be written: ${isThere ? 'there is already a file of that name' : describeError(thrown)}.`,
      'Name another file: edge-agent selftest --report <file>',
      { cause: thrown },
    );
  }
  return path;
}

/** The hosts that the configuration names, but for this machine. */
export function namedHosts(config: CheckContext['config']): string[] {
  if (config.kind === 'invalid') return [];
  const { config: settings, network } = config.loaded;
  const { url, websocket_url: socket } = settings.backend;
  return [url, socket, network.https?.url, network.http?.url].flatMap((given) => {
    if (given === undefined || !URL.canParse(given)) return [];
    const { hostname } = new URL(given);
    return isLoopback(hostname) ? [] : [hostname.replace(/^\[|\]$/g, '')];
  });
}
