import { readFileSync, statSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { describeError, EdgeError } from '../errors.js';
import { INPUT_LIMITS } from '../system/inputLimits.js';
import { isMissing } from '../system/missingFile.js';

/** Everything of the surroundings that decides where the configuration is. `configPath` is what `--config` named. */
export interface ConfigPlaces {
  readonly configPath?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly homeDir: string;
  readonly platform: NodeJS.Platform;
}

/** Names the configuration file; the only variable that is not read from `.env`, whose place depends on it. */
export const CONFIG_PATH_VARIABLE = 'EDGE_AGENT_CONFIG';

/** Must stay the variable of `state.directory` in the schema; named here so that reading it needs no schema. */
export const STATE_DIRECTORY_VARIABLE = 'EDGE_STATE_DIRECTORY';

/** What a path in the configuration may be: not empty, no NUL byte, and no `~name`, which only a shell knows. */
export const PATH_PATTERN = /^(?!~[^/])[^\0]+$/;

/** The absolute form of a configured path: `~` is the user's home, anything relative starts at `base`. */
export function expandPath(path: string, homeDir: string, base: string): string {
  if (path === '~') return homeDir;
  if (path.startsWith('~/')) return join(homeDir, path.slice(2));
  return resolve(base, path);
}

/** A variable's value without surrounding whitespace; an empty one counts as not set. */
export function variable(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const value = env[name]?.trim();
  return value === '' ? undefined : value;
}

/**
 * The configuration file to use: `--config`, `$EDGE_AGENT_CONFIG`, `./config.yaml`, then the platform's place.
 * Null when none of the usual places has one. Throws `config_unreadable` when a file that was named is missing.
 */
export function findConfigFile(places: ConfigPlaces): string | null {
  const path = namedConfigPath(places);
  if (path !== undefined) {
    const origin = places.configPath === undefined ? `$${CONFIG_PATH_VARIABLE}` : '--config';
    const isEmpty = places.configPath?.trim() === '';
    // So the service was installed before there was a configuration: the name was not typed by a person.
    const isUsual = path === usualConfigPath(places);
    if (isEmpty || !exists(path)) {
      throw new EdgeError(
        'config_unreadable',
        `There is no configuration file at ${isEmpty ? '""' : path}${isUsual ? '' : ` (named by ${origin})`}.`,
        isUsual
          ? 'Create it: edge-agent setup'
          : 'Name a file that exists, or leave it out to search the usual places.',
      );
    }
    return path;
  }
  return [join(places.cwd, 'config.yaml'), usualConfigPath(places)].find(exists) ?? null;
}

/** The named file, whether or not it exists: `--config`, else `$EDGE_AGENT_CONFIG`. */
export function namedConfigPath(places: ConfigPlaces): string | undefined {
  const named = places.configPath ?? variable(places.env, CONFIG_PATH_VARIABLE);
  return named === undefined ? undefined : expandPath(named, places.homeDir, places.cwd);
}

/**
 * Whether the file was not named and is not at a usual place: a `config.yaml` in the current directory. The home
 * directory itself is the user's own; files from others (a clone, an archive) are in their own directories.
 */
export function isOnlyFound(path: string, places: ConfigPlaces): boolean {
  return (
    namedConfigPath(places) === undefined && path !== usualConfigPath(places) && places.cwd !== places.homeDir
  );
}

/** The named file, else the usual place of the platform; never a file that is only in the current directory. */
export function chosenConfigPath(places: ConfigPlaces): string {
  return namedConfigPath(places) ?? usualConfigPath(places);
}

/** Where the platform keeps a user's configuration. */
export function usualConfigPath(places: ConfigPlaces): string {
  if (places.platform === 'darwin') return join(applicationSupport(places), 'config.yaml');
  return join(xdgDirectory(places, 'XDG_CONFIG_HOME', '.config'), 'edge-agent', 'config.yaml');
}

/** Where state lives unless `state.directory` says otherwise. */
export function usualStateDirectory(places: ConfigPlaces): string {
  if (places.platform === 'darwin') return applicationSupport(places);
  return join(xdgDirectory(places, 'XDG_STATE_HOME', join('.local', 'state')), 'edge-agent');
}

/** Where `edge-agent send --file` leaves a copy of the file for the daemon. */
export function handoverDirectory(stateDirectory: string): string {
  return join(stateDirectory, 'handover');
}

/** More than any file has whose text is within INPUT_LIMITS.configFile. */
const MOST_BYTES = 3 * INPUT_LIMITS.configFile;

/** The text of a UTF-8 file, or null when there is none. Throws `config_unreadable` for anything else. */
export function readTextFile(path: string): string | null {
  try {
    const { size } = statSync(path);
    if (size > MOST_BYTES)
      throw new EdgeError(
        'config_unreadable',
        `${path} cannot be read: it has ${size} bytes, and ${MOST_BYTES} are read at most.`,
        'Remove everything that is not a setting.',
      );
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
  } catch (thrown) {
    if (isMissing(thrown)) return null;
    if (thrown instanceof EdgeError) throw thrown;
    const reason = thrown instanceof TypeError ? 'it is not UTF-8 text' : describeError(thrown);
    throw new EdgeError('config_unreadable', `${path} cannot be read: ${reason}.`, remedyFor(path, thrown), {
      cause: thrown,
    });
  }
}

function errorCode(thrown: unknown): unknown {
  return thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
}

function remedyFor(path: string, thrown: unknown): string {
  if (errorCode(thrown) === 'EACCES') {
    return isOwn(path)
      ? `Let this user read it: chmod u+r "${path}".`
      : 'Run this as the user who runs the agent, without sudo.';
  }
  if (errorCode(thrown) === 'EISDIR') return 'Name the file, not its directory.';
  return 'Make it a plain UTF-8 text file that this user can read.';
}

/** A file in an inaccessible directory belongs to another user. */
function isOwn(path: string): boolean {
  try {
    return statSync(path).uid === process.getuid?.();
  } catch {
    return false;
  }
}

/** A place that is there but unreadable counts as found, so that reading it can say why it fails. */
function exists(path: string): boolean {
  try {
    statSync(path);
    return true;
  } catch (thrown) {
    return !isMissing(thrown);
  }
}

function applicationSupport(places: ConfigPlaces): string {
  return join(places.homeDir, 'Library', 'Application Support', 'edge-agent');
}

/** The XDG base directory specification says that a relative value is invalid and is to be ignored. */
function xdgDirectory(places: ConfigPlaces, name: string, fallback: string): string {
  const value = variable(places.env, name);
  return value !== undefined && isAbsolute(value) ? value : join(places.homeDir, fallback);
}
