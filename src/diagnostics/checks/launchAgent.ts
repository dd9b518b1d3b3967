import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMissing } from '../../system/missingFile.js';

/** The LaunchAgent as its file has it. */
export interface LaunchAgentFile {
  readonly path: string;
  readonly text: string;
  readonly label: string;
  readonly programArguments: readonly string[];
}

const LABEL = 'edge-agent';

/** The file of the LaunchAgent of this user; undefined if there is none. Throws what the file system throws. */
export function readLaunchAgent(homeDir: string): LaunchAgentFile | undefined {
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

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function decoded(text: string): string {
  return text.replace(/&(amp|lt|gt|quot|apos);/g, (_entity, name: string) => ENTITIES[name] ?? '');
}
