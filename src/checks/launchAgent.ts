import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The LaunchAgent as its file has it. */
export interface LaunchAgent {
  readonly path: string;
  readonly text: string;
  readonly label: string;
  readonly programArguments: readonly string[];
}

const LABEL = 'edge-agent';

/** The file of the LaunchAgent of this user; undefined if there is none. Throws what the file system throws. */
export function readLaunchAgent(homeDir: string): LaunchAgent | undefined {
  const path = join(homeDir, 'Library', 'LaunchAgents', `${LABEL}.plist`);
  const text = textOf(path);
  if (text === undefined) return undefined;
  const [label = LABEL] = stringsBehind('Label', text);
  return { path, text, label, programArguments: stringsBehind('ProgramArguments', text) };
}

/** The string, or the strings of the array, behind a key of an XML property list (plist(5)); none if there is no such key. */
export function stringsBehind(key: string, plist: string): string[] {
  const value = '<array>([\\s\\S]*?)</array>|(<string>[^<]*</string>)';
  const found = new RegExp(`<key>${key}</key>\\s*(?:${value})`).exec(plist);
  const inner = found?.[1] ?? found?.[2] ?? '';
  return [...inner.matchAll(/<string>([^<]*)<\/string>/g)].map(([, text = '']) => decoded(text));
}

/**
 * The binary that a program runs in the end: a script that stands in for node (so that macOS shows its name) is looked
 * into for the path of the node that it runs. macOS ties permissions to that one.
 */
export function binaryOf(program: string): string {
  const text = scriptText(program);
  const node =
    text === undefined ? undefined : /(?:^|[\s"'=])(\/[^"'\n]*\/node)(?=["'\s]|$)/m.exec(text)?.[1];
  return node ?? program;
}

const LONGEST_SCRIPT = 64 * 1024;

/** The text of a file that begins with `#!`; undefined for anything else. */
function scriptText(path: string): string | undefined {
  try {
    const text = readFileSync(path).subarray(0, LONGEST_SCRIPT).toString('latin1');
    return text.startsWith('#!') ? Buffer.from(text, 'latin1').toString('utf8') : undefined;
  } catch {
    // Missing or not for us: whoever wants to run it will say so.
    return undefined;
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function decoded(text: string): string {
  return text.replace(/&(amp|lt|gt|quot|apos);/g, (_entity, name: string) => ENTITIES[name] ?? '');
}
