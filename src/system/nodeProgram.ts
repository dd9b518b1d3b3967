import type { CodeSignature } from './codeSignature.js';
import type { MachO, MachOSlice } from './machO.js';

const MAY_ASK = 'com.apple.security.automation.apple-events';
/** What belongs to macOS itself, and is there on every Mac. */
const OF_MACOS = /^\/(?:usr\/lib|System\/Library)\//;

/** The program in a file that this Mac would start: the one of its own architecture, else any. */
export function sliceFor(found: MachO, architecture: string): MachOSlice | undefined {
  if (found.kind !== 'machO') return undefined;
  return found.slices.find((slice) => slice.architecture === architecture) ?? found.slices[0];
}

/** What is wrong with a file that holds no program of macOS; undefined if it holds one. */
export function whyNoProgram(found: MachO): string | undefined {
  switch (found.kind) {
    case 'machO':
      return undefined;
    case 'other':
      return 'it is not a macOS program';
    case 'damaged':
      return `it is damaged: ${found.why}`;
    case 'unreadable':
      return `it cannot be read: ${found.why}`;
  }
}

/** The libraries that a package manager installs, and may replace while a program needs them. */
export function outsideLibraries({ libraries }: MachOSlice): readonly string[] {
  return libraries.filter((path) => !OF_MACOS.test(path));
}

/**
 * Whether macOS refuses, without asking, what such a program sends to Messages: under the hardened runtime without the
 * entitlement for Apple events, as in the official Node, and without any signature (docs/macos.md).
 */
export function isNeverAsked(signature: CodeSignature): boolean {
  if (signature.kind === 'none') return true;
  return signature.hardened && !signature.entitlements.includes(MAY_ASK);
}

/**
 * What an operator has to know of a program for Intel on a Mac with Apple silicon; undefined of any other. `processor`: as `os.cpus()`
 * names it, which is Apple's there for such a program too.
 */
export function rosettaWords({ architecture }: MachOSlice, processor: string): string | undefined {
  if (architecture !== 'x64' || !processor.includes('Apple')) return undefined;
  return 'is for Intel and runs under Rosetta here, which macOS has up to 27';
}

/** Whether a version like `13.5` is older than another one. */
export function isOlder(version: string, than: string): boolean {
  const [ours, theirs] = [version, than].map((text) => text.split('.').map(Number));
  for (let at = 0; at < 3; at += 1) {
    const difference = (ours?.[at] ?? 0) - (theirs?.[at] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

/** The app whose executable a program is, under whose name macOS lists it; undefined if it is that of none. */
export function appAround(program: string): string | undefined {
  return /^(.+\.app)\/Contents\/MacOS\/[^/]+$/.exec(program)?.[1];
}
