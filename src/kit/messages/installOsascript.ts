import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { EdgeError } from '../../errors.js';
import { PACKAGE_ROOT } from '../../system/packageRoot.js';
import type { AppleVersion } from './appleSchema.js';

/** Where the stand-in finds, and what it takes to write, the chat.db that plays the part of Messages' own. */
interface StandInSettings {
  readonly chatDbPath: string;
  /** Of macOS. */
  readonly version: AppleVersion;
  /** How far the clock of this Mac is ahead of ours, in ms; 0 unless given. */
  readonly clockOffsetMs?: number;
}

interface InstallOptions extends StandInSettings {
  /** The node that runs the stand-in; ours unless given. */
  readonly node?: string;
  /** What is written as the executable instead: a script that has another process answer (`answerCall`). */
  readonly executable?: string;
}

const SETTINGS = 'osascript.json';

/**
 * Makes `directory` a place for one osascript stand-in and writes its executable there. `path` is what
 * `imessage.osascript_path` is to be set to; `behave` and the readers of osascriptLog take the directory.
 * Idempotent: what was recorded and queued stays. Throws EdgeError `internal` if the project was not built.
 */
export function installOsascript(directory: string, options: InstallOptions): { readonly path: string } {
  const { node = process.execPath, chatDbPath, version, clockOffsetMs = 0 } = options;
  mkdirSync(directory, { recursive: true });
  const settings: StandInSettings = { chatDbPath: resolve(chatDbPath), version, clockOffsetMs };
  writeWhole(join(directory, SETTINGS), JSON.stringify(settings), 0o644);
  const path = join(directory, 'osascript');
  writeWhole(path, options.executable ?? ownProcess(node, directory), 0o755);
  return { path };
}

function ownProcess(node: string, directory: string): string {
  const command = [node, program(), '--simulator', resolve(directory)].map(quoted).join(' ');
  return `#!/bin/sh\nexec ${command} "$@"\n`;
}

/** The arguments of `installOsascript`. */
export function readSettings(directory: string): StandInSettings {
  return JSON.parse(readFileSync(join(directory, SETTINGS), 'utf8')) as StandInSettings;
}

/** The built program, also when we ourselves run from source, as in tests. */
function program(): string {
  const path = join(PACKAGE_ROOT, 'dist/kit/messages/osascript.cjs');
  if (existsSync(path)) return path;
  throw new EdgeError('internal', 'The osascript stand-in is not built.', 'Run: npm run build');
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** A call that starts meanwhile sees the old file or the new one, never half of one. */
function writeWhole(path: string, content: string, mode: number): void {
  writeFileSync(`${path}.new`, content, { mode });
  renameSync(`${path}.new`, path);
}
