import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { yamlWith } from '../../config/editYaml.js';
import { type LoadedConfig, loadConfig } from '../../config/loadConfig.js';
import { chosenConfigPath, readTextFile } from '../../config/places.js';
import { replaceConfig } from '../../config/replaceConfig.js';
import { replaceFile } from '../../config/replaceFile.js';
import { dotenvWith, SCHEMA_FILE, starterConfig } from '../../config/starterFiles.js';
import { EdgeError } from '../../errors.js';
import { systemClock } from '../../system/clock.js';
import { writeKeychain } from '../../system/keychain.js';
import { PACKAGE_ROOT } from '../../system/packageRoot.js';
import { hostPlatform } from '../../system/programs.js';
import { EXIT } from '../exitCodes.js';
import { doctor } from '../inspect/doctor.js';
import { INTERRUPTED } from '../interruption.js';
import { places } from '../places.js';
import { complain, complainOf, print } from '../print.js';
import { hasLeft, isSomebodyThere } from './ask.js';
import { changeLines, overrideLines } from './configChanges.js';
import { answersOf, type SetupAnswers, type SetupFlags } from './setupFlags.js';
import { askPlan, type Plan, SECRET } from './setupPlan.js';
import { personAtTerminal, type Questions } from './setupQuestions.js';

/** The verb that installs the service; its exit code. */
type Install = (options: { configPath: string }) => Promise<number>;

const fromPackage = (name: string) => readFileSync(join(PACKAGE_ROOT, name), 'utf8');

/**
 * The first run: asks what the agent cannot do without, writes config.yaml and .env (0600, each all at once, and only
 * after the last question about them), runs doctor, offers to install the service. Run again, it offers what is in force, and
 * changes only what is answered otherwise, once the person says so, or `--force`. Exit 0 once all is written, whatever doctor finds; 2 for flags that are missing or wrong;
 * 130 at Ctrl-C. `install` is undefined where there is no service to install.
 */
export async function setup(
  options: SetupFlags & { configPath?: string },
  install: Install | undefined,
): Promise<number> {
  if (!options.yes && !isSomebodyThere()) {
    complain(
      'edge-agent: setup asks questions, and this is not a terminal.',
      'In a script: edge-agent setup --yes --backend-url <url> --phone <number> --secret-file <file>',
    );
    return EXIT.usage;
  }
  let written = false;
  try {
    const answers = answersOf(options);
    if (answers.kind === 'wrong') return wrong(answers.why);
    const configPath = chosenConfigPath(places(options));
    const person = options.yes ? undefined : personAtTerminal;
    const outcome = await writeSetup(configPath, answers.given, options, person);
    if (typeof outcome === 'object') return wrong(outcome.wrong);
    if (outcome === 'declined') {
      print('Nothing was written.');
      return EXIT.ok;
    }
    written = true;
    print('', 'What doctor finds:', '');
    await doctor({ configPath, json: false });
    print('');
    return await offer(configPath, options, install);
  } catch (error) {
    if (hasLeft(error)) {
      complain('', written ? 'Stopped. The answers so far were saved.' : 'Stopped. Nothing was written.');
      return INTERRUPTED;
    }
    if (!(error instanceof EdgeError)) throw error;
    complainOf(error);
    return EXIT.failed;
  }
}

type Written = 'written' | 'declined' | { wrong: string };

/**
 * Asks everything, shows the changes, then writes everything. In an existing configuration only the requested settings
 * change. `wrong`: what is wrong with the flags, if there is no terminal. Throws EdgeError if a file cannot be changed
 * that way.
 */
export async function writeSetup(
  configPath: string,
  given: SetupAnswers,
  flags: SetupFlags,
  person: Questions | undefined,
): Promise<Written> {
  const envPath = join(dirname(configPath), '.env');
  const dotenv = readTextFile(envPath);
  const text = readTextFile(configPath);
  const before = text?.trim() === '' ? null : text;
  const loaded = loadedOrNothing(configPath);
  const inForce = loaded?.config;
  const hasKeychain = hostPlatform() === 'darwin';
  const plan = await askPlan({
    configPath,
    config: before,
    inForce,
    envPath,
    dotenv,
    given,
    flags,
    person,
    hasKeychain,
  });
  if (plan.kind === 'wrong') return { wrong: plan.why };
  const { essentials, changes, secret } = plan;
  const config =
    before === null
      ? starterConfig(fromPackage('config.yaml'), essentials)
      : yamlWith(before, new Map(changes.map(({ key, after }) => [key, after])));
  if (before !== null && changes.length > 0) {
    print(...changeLines(configPath, changes));
    if (person !== undefined && !flags.force && !(await person.mayChange())) return 'declined';
  }
  // The secret first: a configuration that is there is complete.
  if (secret !== undefined)
    put(envPath, withSecret(dotenv ?? fromPackage('.env.example'), secret, configPath));
  if (config === before) return 'written';
  const schema = join(dirname(configPath), SCHEMA_FILE);
  if (before === null || existsSync(schema)) put(schema, fromPackage('docs/config.schema.json'));
  const copy = replaceConfig(configPath, text, config, systemClock.now());
  print(`Written: ${configPath}`, ...(copy === undefined ? [] : [`Previous version: ${copy}`]));
  if (loaded !== undefined)
    complain(
      ...overrideLines(
        loaded,
        changes.map(({ key }) => key),
      ),
    );
  return 'written';
}

/** The effective settings with that file; undefined if it has errors, which doctor reports. */
function loadedOrNothing(configPath: string): LoadedConfig | undefined {
  try {
    return loadConfig(places({ configPath }));
  } catch (error) {
    if (error instanceof EdgeError) return undefined;
    throw error;
  }
}

/** `.env` with the secret in it, or with the name that it has in the Keychain from now on. */
function withSecret(
  dotenv: string,
  { value, inKeychain }: NonNullable<Plan['secret']>,
  configPath: string,
): string {
  if (!inKeychain) return dotenvWith(dotenv, SECRET, value);
  // One entry per configuration: setting up another one must not replace the secret of this one.
  const account = `${SECRET}-${createHash('sha256').update(configPath).digest('hex').slice(0, 8)}`;
  const failed = writeKeychain(account, value);
  if (failed !== undefined) {
    throw new EdgeError(
      'state_unwritable',
      `The secret cannot be kept in the Keychain: ${failed}.`,
      'Nothing was written. Keep it in .env: run setup again without the Keychain.',
    );
  }
  print(`In the Keychain: edge-agent, ${account}`);
  return dotenvWith(dotenv, SECRET, `keychain:${account}`);
}

function put(path: string, text: string): void {
  replaceFile(path, text);
  print(`Written: ${path}`);
}

async function offer(
  configPath: string,
  { yes, install: isWanted }: SetupFlags,
  install: Install | undefined,
): Promise<number> {
  const later = `When you are ready: edge-agent ${install === undefined ? 'run' : 'install'} --config "${configPath}"`;
  if (install === undefined) {
    if (isWanted) complain('edge-agent: There is no service to install here: macOS only.');
    print(later);
    return isWanted ? EXIT.failed : EXIT.ok;
  }
  if (isWanted || (!yes && (await personAtTerminal.install()))) return install({ configPath });
  print(later);
  return EXIT.ok;
}

function wrong(why: string): number {
  complain(`edge-agent: ${why}`, 'See: edge-agent setup --help');
  return EXIT.usage;
}
