import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { chosenConfigPath, readTextFile } from '../../config/places.js';
import { replaceFile } from '../../config/replaceFile.js';
import { dotenvWith, SCHEMA_FILE, starterConfig } from '../../config/starterFiles.js';
import { EdgeError } from '../../errors.js';
import { writeKeychain } from '../../system/keychain.js';
import { PACKAGE_ROOT } from '../../system/packageRoot.js';
import { hostPlatform } from '../../system/programs.js';
import { EXIT } from '../exitCodes.js';
import { doctor } from '../inspect/doctor.js';
import { INTERRUPTED } from '../interruption.js';
import { places } from '../places.js';
import { complain, complainOf, print } from '../print.js';
import { hasLeft, isSomebodyThere } from './ask.js';
import { answersOf, type SetupAnswers, type SetupFlags } from './setupFlags.js';
import { askPlan, type Plan, SECRET } from './setupPlan.js';
import { personAtTerminal } from './setupQuestions.js';

/** The verb that installs the service; its exit code. */
type Install = (options: { configPath: string }) => Promise<number>;

const fromPackage = (name: string) => readFileSync(join(PACKAGE_ROOT, name), 'utf8');

/**
 * The first run: asks what the agent cannot do without, writes config.yaml and .env (0600, each all at once, and only
 * after the last question about them), runs doctor, offers to install the service. What is there is replaced only if the
 * person says so, or `--force`. Exit 0 once all is written, whatever doctor finds; 2 for flags that are missing or wrong;
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
    const outcome = await write(configPath, answers.given, options);
    if (outcome !== undefined) return wrong(outcome);
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

/** Asks everything, then writes everything. Returns what is wrong with the flags, where there is nobody to ask. */
async function write(
  configPath: string,
  given: SetupAnswers,
  flags: SetupFlags,
): Promise<string | undefined> {
  const envPath = join(dirname(configPath), '.env');
  const dotenv = readTextFile(envPath);
  const person = flags.yes ? undefined : personAtTerminal;
  const hasKeychain = hostPlatform() === 'darwin';
  const plan = await askPlan({ configPath, envPath, dotenv, given, flags, person, hasKeychain });
  if (plan.kind === 'wrong') return plan.why;
  const { essentials, secret } = plan;
  const env =
    secret === undefined ? undefined : withSecret(dotenv ?? fromPackage('.env.example'), secret, configPath);
  const config = essentials === undefined ? undefined : starterConfig(fromPackage('config.yaml'), essentials);
  // The secret first: a configuration that is there is complete.
  if (env !== undefined) put(envPath, env);
  if (config === undefined) return undefined;
  put(join(dirname(configPath), SCHEMA_FILE), fromPackage('docs/config.schema.json'));
  put(configPath, config);
  return undefined;
}

/** `.env` with the secret in it, or with the name that it has in the Keychain from now on. */
function withSecret(
  dotenv: string,
  { value, inKeychain }: NonNullable<Plan['secret']>,
  configPath: string,
): string {
  if (!inKeychain) return dotenvWith(dotenv, SECRET, value);
  // One entry a configuration: setting up another one beside it must not replace the secret of this one.
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
