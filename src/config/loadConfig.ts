import { existsSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { EdgeError } from '../errors.js';
import { redactor } from '../logging/formatLine.js';
import type { Network } from '../system/network.js';
import { weakenedTls } from '../system/verifiedTls.js';
import { assembleConfig, settled } from './assembleConfig.js';
import { ConfigError, type Mistake, type Source } from './ConfigError.js';
import { readCertificates } from './certificates.js';
import { DERIVED_SETTINGS } from './derivedSettings.js';
import { type Dotenv, isOpenToOthers, readDotenv } from './dotenv.js';
import { fromDotenv, fromEnvironment, unknownVariables } from './environment.js';
import { type FileSettings, fileSettings } from './fileSettings.js';
import { type Given, judgeGiven, missing } from './judgeGiven.js';
import { networkOf } from './network.js';
import { type ConfigPlaces, findConfigFile, isOnlyFound, readTextFile } from './places.js';
import type { Config } from './schema.js';
import { findSecrets, type Secrets, secretsFromElsewhere } from './secrets.js';
import { checkSetting, SETTINGS, type Setting } from './settings.js';
import { readYaml, type YamlFile } from './yamlFile.js';

export interface LoadedConfig {
  readonly config: Config;
  readonly secrets: Secrets;
  /** By which proxy other machines are reached, and whose certificates are trusted. */
  readonly network: Network;
  /** The configuration file, or null when there is none. */
  readonly path: string | null;
  /** Where `.env` is looked for, whether or not it is there. */
  readonly envPath: string;
  /** Where each setting's value came from, by key. */
  readonly sources: Readonly<Record<string, Source>>;
  /** The settings derived from others, for people: "edge.user_phone from edge.agent_id (.env:2)". */
  readonly derived: readonly string[];
  /** For a person; without secrets. */
  readonly warnings: readonly string[];
  /** What asks for connections that are not verified, or weak, and is ignored: by name and place. */
  readonly ignoredTls: readonly string[];
  /** Reloads it from the same file. Throws like `loadConfig`, also if that file was removed. */
  readonly reload: () => LoadedConfig;
}

const NO_FILE: FileSettings = { values: new Map(), bare: new Map(), mistakes: [] };

/**
 * Reads the whole configuration: environment over `.env` over file over default. Throws `ConfigError` with all errors,
 * or `config_unreadable`. A missing secret is not an error: the agent then runs degraded and reports it. With `draft`
 * it checks the file as if it had that text.
 */
export function loadConfig(places: ConfigPlaces, draft?: string): LoadedConfig {
  const path = findConfigFile(places);
  const directory = path === null ? places.cwd : dirname(path);
  const envPath = join(directory, '.env');
  const dotenv = readDotenv(envPath);
  const found = findSecrets(places.env, dotenv);
  const conceal = redactor(found.all);
  const name = path === null ? null : shortName(path, places.cwd);
  const yaml = path === null ? null : readYaml(draft ?? textOf(path));
  const file = yaml === null || name === null ? NO_FILE : fileSettings(yaml, name);

  const mistakes: Mistake[] = [...file.mistakes];
  const ignoredTls = weakenedTls(places.env, dotenv.entries, process.execArgv);
  const warnings = [
    ...openToOthers(envPath, places),
    ...dotenv.problems.map(({ line, problem }) => `.env:${line}: ${problem}.`),
    ...found.warnings,
    ...unknownVariables(places.env, dotenv),
    ...ignoredTls.map((name) => `${name} is ignored: certificates are always verified, by TLS 1.2 at least.`),
  ];
  const values = new Map<string, unknown>();
  const sources: Record<string, Source> = {};
  const derived: string[] = [];
  let proxy: Given | undefined;
  let ca: string | undefined;
  const allGiven = (setting: Setting) => given(setting, places, dotenv, file, name, directory);
  for (const setting of SETTINGS) {
    const [first, ...overridden] = allGiven(setting);
    const fallback = first === undefined ? derivedFor(setting, allGiven) : undefined;
    if (fallback !== undefined) derived.push(fallback.place);
    const used = first ?? fallback;
    for (const other of overridden) {
      const mistake = judgeGiven(setting, other, conceal);
      if (mistake === undefined || used === undefined) continue;
      warnings.push(
        `${mistake.place}: ${setting.key} is ${mistake.found}, which would be invalid; ${used.place} overrides it.`,
      );
    }
    sources[setting.key] = used?.source ?? 'default';
    if (used === undefined) {
      if (setting.required && yaml?.complete !== false) mistakes.push(missing(setting, file, name));
      continue;
    }
    const mistake = judgeGiven(setting, used, conceal);
    if (mistake === undefined) values.set(setting.key, settled(setting, used, places));
    else mistakes.push(mistake);
    if (setting.key === 'backend.proxy') proxy = used;
    if (setting.key !== 'backend.ca_file' || mistake !== undefined) continue;
    const certificates = readCertificates(String(values.get(setting.key)), Date.now());
    if (certificates.kind === 'unusable')
      mistakes.push({
        key: setting.key,
        line: used.line,
        found: certificates.why,
        expected: CERTIFICATES,
        source: used.source,
        place: used.place,
      });
    else {
      ca = certificates.pem;
      warnings.push(...certificates.warnings);
    }
  }
  const network = networkOf({ proxy, env: places.env, dotenv, ca }, (warning) => warnings.push(warning));

  const wasEmpty = yaml !== null && isEmpty(yaml);
  if (path !== null && isOnlyFound(path, places)) refuseToLend(path, sources, places, dotenv);
  const concealed = warnings.map(conceal);
  if (mistakes.length > 0) {
    const files = [values.get('backend.ca_file')].filter((path) => typeof path === 'string');
    throw new ConfigError(inReadingOrder(mistakes).map(hiding(conceal)), concealed, files, path !== null);
  }
  return Object.freeze({
    config: assembleConfig(values, places),
    secrets: Object.freeze(found.secrets),
    network: Object.freeze(network),
    path,
    envPath,
    sources: Object.freeze(sources),
    derived: Object.freeze(derived),
    warnings: Object.freeze(concealed),
    ignoredTls: Object.freeze(ignoredTls),
    reload: () => reload(path, places, wasEmpty),
  });
}

const CERTIFICATES = 'a file of certificates in PEM form';

/** Each says where a secret goes, or who may read it on the way. */
const ADDRESSES = ['backend.url', 'backend.websocket_url', 'backend.proxy', 'backend.ca_file'];

/**
 * Throws if a file that was only found would decide where a secret from elsewhere is sent: it may have come with
 * another person's directory. A file and the `.env` next to it belong together, as do variables of one environment.
 */
function refuseToLend(
  path: string,
  sources: Readonly<Record<string, Source>>,
  places: ConfigPlaces,
  dotenv: Dotenv,
): void {
  const decides = ADDRESSES.some((key) => sources[key] === 'file' || sources[key] === '.env');
  const lent = decides ? secretsFromElsewhere(places.env, dotenv) : [];
  if (lent.length === 0) return;
  throw new EdgeError(
    'config_not_named',
    `${path} was found in this directory and decides which backend is reached, or how, but ${lent.join(', ')} would come from the environment or the Keychain: nothing is sent.`,
    'If that file is yours, name it: --config ./config.yaml',
  );
}

/**
 * Even if the file was only found, its removal is an error. So is an emptied file: it is probably an accident, and
 * every setting would fall back to its default.
 */
function reload(path: string | null, places: ConfigPlaces, wasEmpty: boolean): LoadedConfig {
  if (path === null) return loadConfig(places);
  if (!existsSync(path))
    throw new EdgeError(
      'config_unreadable',
      `The configuration file ${path} was removed.`,
      'Restore it; it is read as soon as it exists.',
    );
  if (!wasEmpty && isEmpty(readYaml(textOf(path))))
    throw new EdgeError(
      'config_unreadable',
      `The configuration file ${path} is empty.`,
      'Restore its settings; they are applied immediately. To run without them, restart the agent.',
    );
  return loadConfig({ ...places, configPath: path });
}

/** Nothing is in it but comments, which is like no file. */
function isEmpty({ entries, problems }: YamlFile): boolean {
  return entries.length === 0 && problems.length === 0;
}

/** The value of an unset setting, if it can be derived from another one. */
function derivedFor(setting: Setting, allGiven: (setting: Setting) => Given[]): Given | undefined {
  for (const { from, derive } of DERIVED_SETTINGS[setting.key] ?? []) {
    const other = SETTINGS.find(({ key }) => key === from);
    const [origin] = other === undefined ? [] : allGiven(other);
    const value = origin === undefined ? undefined : derive(origin.value);
    if (origin === undefined || value === undefined || checkSetting(setting, value).kind !== 'fits') continue;
    return { ...origin, value, source: 'derived', place: `${setting.key} from ${from} (${origin.place})` };
  }
  return undefined;
}

/** All values given for a setting, the one that counts first. */
function given(
  setting: Setting,
  places: ConfigPlaces,
  dotenv: Dotenv,
  file: FileSettings,
  name: string | null,
  directory: string,
): Given[] {
  const all: Given[] = [];
  const environment = fromEnvironment(setting, places.env);
  if (environment !== undefined) {
    const place = `${environment.variable} (environment)`;
    all.push({ ...environment, source: 'environment', place, base: places.cwd });
  }
  const inDotenv = fromDotenv(setting, dotenv);
  if (inDotenv !== undefined) {
    all.push({ ...inDotenv, source: '.env', place: `.env:${inDotenv.line}`, base: directory });
  }
  const inFile = file.values.get(setting.key);
  if (inFile !== undefined) {
    all.push({ ...inFile, source: 'file', place: `${name}:${inFile.line}`, base: directory });
  }
  return all;
}

/** The file from top to bottom, then `.env`, then the environment, then what is missing. */
function inReadingOrder(mistakes: readonly Mistake[]): Mistake[] {
  const order: readonly Source[] = ['file', '.env', 'environment', 'derived', 'default'];
  return mistakes.toSorted(
    (a, b) => order.indexOf(a.source) - order.indexOf(b.source) || (a.line ?? 0) - (b.line ?? 0),
  );
}

function hiding(conceal: (text: string) => string): (mistake: Mistake) => Mistake {
  return ({ suggestion, ...mistake }) => ({
    ...mistake,
    key: conceal(mistake.key),
    ...(suggestion === undefined ? {} : { suggestion: conceal(suggestion) }),
  });
}

/** A path as a person in `cwd` would write it. */
function shortName(path: string, cwd: string): string {
  const short = relative(cwd, path);
  return short.startsWith('..') ? path : short;
}

/** The file was there a moment ago; if it has just been removed, it is empty. */
function textOf(path: string): string {
  return readTextFile(path) ?? '';
}

function openToOthers(envPath: string, places: ConfigPlaces): string[] {
  if (places.platform === 'win32' || !isOpenToOthers(envPath)) return [];
  return [`${envPath} can be read or written by other users of this machine; run: chmod 600 "${envPath}"`];
}
