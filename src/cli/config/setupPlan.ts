import { existsSync } from 'node:fs';
import { dotenvSets, type Essentials } from '../../config/starterFiles.js';
import type { SetupAnswers, SetupFlags } from './setupFlags.js';
import type { Questions } from './setupQuestions.js';

/** What is to be written once all is known. What is undefined stays as it is. */
export interface Plan {
  readonly kind: 'plan';
  readonly essentials: Essentials | undefined;
  readonly secret: { readonly value: string; readonly inKeychain: boolean } | undefined;
}

interface PlanInput {
  readonly configPath: string;
  readonly envPath: string;
  /** The text of `.env` as it is now; null: there is none. */
  readonly dotenv: string | null;
  readonly given: SetupAnswers;
  readonly flags: SetupFlags;
  /** Undefined: there is nobody to ask. */
  readonly person: Questions | undefined;
  readonly hasKeychain: boolean;
}

/** The variable that setup is about. */
export const SECRET = 'EDGE_SECRET';

/** Asks for all that the flags have not given, writes nothing. `why`: what is missing, where there is nobody to ask. */
export async function askPlan(input: PlanInput): Promise<Plan | { kind: 'wrong'; why: string }> {
  const { flags, hasKeychain } = input;
  if (flags.keychain === true && !hasKeychain) return { kind: 'wrong', why: '--keychain: macOS only.' };
  const essentials = await askEssentials(input);
  if (typeof essentials === 'string') return { kind: 'wrong', why: essentials };
  const secret = await askSecret(input);
  if (typeof secret === 'string') return { kind: 'wrong', why: secret };
  return { kind: 'plan', essentials, secret };
}

async function askEssentials({
  configPath,
  given,
  flags,
  person,
}: PlanInput): Promise<Essentials | string | undefined> {
  if (existsSync(configPath) && !flags.force) {
    if (person === undefined) return `There is a ${configPath} already; --force replaces it.`;
    if (!(await person.mayReplace(`There is a ${configPath} already.`))) return undefined;
  }
  const backendUrl = given.backendUrl ?? (await person?.backendUrl());
  const userPhone = given.userPhone ?? (await person?.userPhone());
  if (backendUrl === undefined || userPhone === undefined) return '--yes needs --backend-url and --phone.';
  return { backendUrl, userPhone };
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
