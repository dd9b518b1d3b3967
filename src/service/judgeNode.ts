import { EdgeError } from '../errors.js';
import {
  isNeverAsked,
  isOlder,
  outsideLibraries,
  rosettaWords,
  sliceFor,
  whyNoProgram,
} from '../system/nodeProgram.js';
import type { Service } from './Service.js';

const OWN_NODE = 'Install Node from nodejs.org, and with it run: edge-agent install';

/**
 * Throws EdgeError `install_failed` unless a copy of that node runs on this Mac, now and after the next upgrade of
 * whatever else there is.
 */
export async function requireCopyable(service: Service, node: string): Promise<void> {
  const fault = await whyNotHere(service, node);
  if (fault !== undefined) throw refused(fault.why, fault.remedy);
  const slice = sliceFor(service.inspect(node), process.arch);
  const outside = slice === undefined ? [] : outsideLibraries(slice);
  if (outside.length === 0) return;
  throw refused(
    `${node} cannot be copied for the agent: it needs ${counted(outside)}, such as ${outside[0]}, and no longer starts once an upgrade replaces them. Homebrew builds Node that way.`,
    `${OWN_NODE}. To use this node anyway: edge-agent install --runtime current`,
  );
}

/** Says that a node is for Intel where this Mac is not: as after moving from one that was. */
export function warnOfRosetta(service: Service, node: string): void {
  const slice = sliceFor(service.inspect(node), process.arch);
  const words = slice === undefined ? undefined : rosettaWords(slice, service.processor);
  if (words === undefined) return;
  service.print(
    `Warning: ${node} ${words}. Better: Node for Apple silicon from nodejs.org, edge-agent installed again with it, then: edge-agent install --node`,
  );
}

/** What an operator has to know who lets the agent run with a node where it is. */
export function warningsOfLink(service: Service, node: string): string[] {
  const slice = sliceFor(service.inspect(node), process.arch);
  if (slice === undefined) return [];
  const outside = outsideLibraries(slice);
  return [
    ...(isNeverAsked(slice.signature)
      ? [
          `Warning: the signature of ${node} makes macOS refuse every text without asking. The agent can receive but not send. Better: without --runtime current.`,
        ]
      : []),
    ...(outside.length > 0
      ? [
          `Warning: ${node} needs ${counted(outside)}, such as ${outside[0]}. When Homebrew upgrades them, it loses its permissions and may not start.`,
        ]
      : []),
  ];
}

/** Why that node does not run on this Mac, and what helps; undefined if nothing is known to be in the way. */
export async function whyNotHere(
  service: Service,
  node: string,
): Promise<{ why: string; remedy: string } | undefined> {
  const found = service.inspect(node);
  const broken = whyNoProgram(found);
  if (broken !== undefined) return { why: `${node} cannot be used: ${broken}.`, remedy: OWN_NODE };
  const slice = sliceFor(found, process.arch);
  if (slice?.architecture !== process.arch) {
    return {
      why: `${node} is for another processor (${slice?.architecture ?? 'none'}); this is ${process.arch}.`,
      remedy: OWN_NODE,
    };
  }
  const macOs = await macOsVersion(service);
  if (slice.minimumMacOs === null || macOs === undefined || !isOlder(macOs, slice.minimumMacOs))
    return undefined;
  return {
    why: `${node} is for macOS ${slice.minimumMacOs} and newer; this is ${macOs}.`,
    remedy:
      'Upgrade macOS, or install an older Node (22 runs on macOS 11), and with it run: edge-agent install',
  };
}

async function macOsVersion({ programs, run }: Service): Promise<string | undefined> {
  const end = await run(programs.swVers, ['-productVersion']);
  const version = end.kind === 'ended' ? end.stdout.trim() : '';
  return /^\d+(\.\d+)*$/.test(version) ? version : undefined;
}

function counted(libraries: readonly string[]): string {
  return libraries.length === 1
    ? 'a library that is not part of macOS'
    : `${libraries.length} libraries that are not part of macOS`;
}

function refused(why: string, remedy: string): EdgeError {
  return new EdgeError('install_failed', `${why} What was installed before is untouched.`, remedy);
}
