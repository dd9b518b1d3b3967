import { settingValue } from '../../config/remoteSettings.js';
import type { Config } from '../../config/schema.js';
import { SETTINGS_BY_KEY } from '../../config/settings.js';
import { dotenvSets, type Essentials } from '../../config/starterFiles.js';
import { fileValue, type SettingChange } from './configChanges.js';
import type { SetupAnswers, SetupFlags } from './setupFlags.js';
import type { Questions } from './setupQuestions.js';

/** What is to be written once all is known. What is not in it stays as it is. */
export interface Plan {
  readonly kind: 'plan';
  readonly essentials: Essentials;
  /** What the essentials change in a file that is there. */
  readonly changes: readonly SettingChange[];
  readonly secret: { readonly value: string; readonly inKeychain: boolean } | undefined;
}

interface PlanInput {
  readonly configPath: string;
  /** The text of `config.yaml` as it is now; null: there is none. */
  readonly config: string | null;
  /** The effective settings with the environment; undefined if there are none, or they have errors. */
  readonly inForce: Config | undefined;
  readonly envPath: string;
  /** The text of `.env` as it is now; null: there is none. */
  readonly dotenv: string | null;
  readonly given: SetupAnswers;
  readonly flags: SetupFlags;
  /** Undefined: there is no terminal. */
  readonly person: Questions | undefined;
  readonly hasKeychain: boolean;
}

type Wrong = { kind: 'wrong'; why: string };

/** The variable that setup is about. */
export const SECRET = 'EDGE_SECRET';

/** The settings that setup is about. */
const KEYS = { backendUrl: 'backend.url', userPhone: 'edge.user_phone' } as const;

/** Asks for everything that the flags do not set, writes nothing. `why`: what is missing, if there is no terminal. */
export async function askPlan(input: PlanInput): Promise<Plan | Wrong> {
  const { flags, hasKeychain } = input;
  if (flags.keychain === true && !hasKeychain) return wrong('--keychain: macOS only.');
  const settings = await askSettings(input);
  if ('why' in settings) return settings;
  const secret = await askSecret(input);
  if (typeof secret === 'string') return wrong(secret);
  return { kind: 'plan', ...settings, secret };
}

async function askSettings(input: PlanInput): Promise<Pick<Plan, 'essentials' | 'changes'> | Wrong> {
  const { configPath, config, given, flags, person } = input;
  const usual = { backendUrl: valueNow(input, KEYS.backendUrl), userPhone: valueNow(input, KEYS.userPhone) };
  const backendUrl =
    given.backendUrl ?? (person === undefined ? usual.backendUrl : await person.backendUrl(usual.backendUrl));
  const userPhone =
    given.userPhone ?? (person === undefined ? usual.userPhone : await person.userPhone(usual.userPhone));
  if (backendUrl === undefined || userPhone === undefined)
    return wrong('--yes needs --backend-url and --phone.');
  const essentials = { backendUrl, userPhone };
  if (config === null) return { essentials, changes: [] };
  const names = ['userPhone', 'backendUrl'] as const;
  const changes = names
    .filter((name) => essentials[name] !== usual[name])
    .map((name) => ({ key: KEYS[name], before: fileValue(config, KEYS[name]), after: essentials[name] }));
  const replaced = changes.filter(({ before }) => before !== undefined).map(({ key }) => key);
  if (person === undefined && !flags.force && replaced.length > 0)
    return wrong(`${configPath} has another ${replaced.join(' and ')}; --force changes it.`);
  return { essentials, changes };
}

/** As the file has it where it does, for that may be written otherwise than it is used. */
function valueNow({ config, inForce }: PlanInput, key: string): string | undefined {
  const setting = SETTINGS_BY_KEY.get(key);
  const effective =
    inForce === undefined || setting === undefined ? undefined : settingValue(inForce, setting);
  const written = config === null ? undefined : fileValue(config, key);
  const value = written ?? effective;
  return typeof value === 'string' ? value : undefined;
}

async function askSecret({
  envPath,
  dotenv,
  given,
  flags,
  person,
  hasKeychain,
}: PlanInput): Promise<Plan['secret'] | string> {
  const isThere = dotenv !== null && dotenvSets(dotenv, SECRET);
  const inKeychain = flags.keychain ?? false;
  if (person === undefined) {
    if (given.secret === undefined)
      return isThere ? undefined : '--yes needs --secret-file or --secret-stdin.';
    if (isThere && !flags.force) return `There is a secret in ${envPath} already; --force replaces it.`;
    return { value: given.secret, inKeychain };
  }
  if (isThere && !flags.force && !(await person.mayReplace(`There is a secret in ${envPath} already.`)))
    return undefined;
  const value = given.secret ?? (await person.secret());
  return { value, inKeychain: inKeychain || (hasKeychain && (await person.inKeychain())) };
}

function wrong(why: string): Wrong {
  return { kind: 'wrong', why };
}
