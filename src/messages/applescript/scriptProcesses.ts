import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { SYSTEM_PATH } from '../../system/childEnvironment.js';

/** `unknowable`: the list of processes could not be read, so nothing is proven either way. */
export type ProcessSearch =
  | { readonly kind: 'running'; readonly pids: readonly number[] }
  | { readonly kind: 'gone' }
  | { readonly kind: 'unknowable'; readonly why: string };

const PS = '/bin/ps';
const PS_DEADLINE_MS = 5_000;
/** Room for every command line of the machine, each of which may be 1 MiB on macOS. */
const PS_BYTES = 64 * 1024 * 1024;

/**
 * Finds the living runs of osascript whose last argument is `tag`. Ours and no others': the arguments
 * `-l AppleScript -` must stand before it, so that a person who looks for the tag is not taken for a run.
 * On Linux by /proc, elsewhere by ps. Never throws.
 */
export async function findScriptProcesses(tag: string, platform: NodeJS.Platform): Promise<ProcessSearch> {
  try {
    const pids = platform === 'linux' ? await searchProc(tag) : await searchPs(tag);
    return pids.length === 0 ? { kind: 'gone' } : { kind: 'running', pids };
  } catch (error) {
    return { kind: 'unknowable', why: String(error) };
  }
}

async function searchProc(tag: string): Promise<number[]> {
  const entries = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    entries.map(async (name) => {
      const isRun = isRunOf(await readCommandLine(name), tag);
      return isRun ? [Number(name)] : [];
    }),
  );
  return found.flat().sort((a, b) => a - b);
}

/** A process that ended meanwhile, or that belongs to somebody else, has no arguments for us. */
async function readCommandLine(pid: string): Promise<string[]> {
  try {
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0').slice(0, -1);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES' || code === 'EPERM') return [];
    throw error;
  }
}

function isRunOf(argv: readonly string[], tag: string): boolean {
  if (argv.at(-1) !== tag) return false;
  return argv.some((word, at) => word === '-l' && argv[at + 1] === 'AppleScript' && argv[at + 2] === '-');
}

/**
 * A text with line breaks could forge lines of ps's output, so the listing only tells which processes may be
 * ours; each is then asked about alone, where its own arguments must be the last thing printed.
 */
async function searchPs(tag: string): Promise<number[]> {
  const found: number[] = [];
  for (const pid of scriptsInPs(await ps(['-axww', '-o', 'pid=,command=']), tag)) {
    const command = await ps(['-ww', '-o', 'command=', '-p', String(pid)]).catch(noSuchProcess);
    if (endsWithTag(command, tag)) found.push(pid);
  }
  return found;
}

/** The processes that may be runs of `tag`, from the output of `ps -axww -o pid=,command=`. */
export function scriptsInPs(listing: string, tag: string): number[] {
  const lines = listing.split('\n');
  if (!lines.some((line) => endsWithTag(line, tag))) return [];
  const pids = lines.map((line) => /^\s*(\d+)\s.* -l AppleScript - /.exec(line)?.[1]);
  return [...new Set(pids.filter((pid) => pid !== undefined).map(Number))];
}

function endsWithTag(command: string, tag: string): boolean {
  return command.trimEnd().endsWith(` ${tag}`);
}

/** ps exits 1 and prints nothing for a process that has ended meanwhile; anything else is a failure. */
function noSuchProcess(error: unknown): string {
  if (error instanceof Error && 'code' in error && error.code === 1) return '';
  throw error;
}

function ps(args: readonly string[]): Promise<string> {
  const options = { timeout: PS_DEADLINE_MS, maxBuffer: PS_BYTES, env: { LC_ALL: 'C', PATH: SYSTEM_PATH } };
  return new Promise((resolve, reject) => {
    execFile(PS, args, options, (error, stdout) => (error === null ? resolve(stdout) : reject(error)));
  });
}
