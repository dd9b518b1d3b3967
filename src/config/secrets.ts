import { readKeychain } from '../system/keychain.js';
import type { Dotenv } from './dotenv.js';

/** Credentials, kept apart from `Config` so that the configuration can be printed. */
export interface Secrets {
  readonly edgeSecret?: string;
  readonly edgeToken?: string;
  readonly registrationToken?: string;
}

/** The variables that hold secrets. They come from the environment or `.env`, never from config.yaml. */
export const SECRET_VARIABLES = [
  {
    name: 'edgeSecret',
    variable: 'EDGE_SECRET',
    description: 'The secret shared with the backend; signs our tokens.',
  },
  {
    name: 'edgeToken',
    variable: 'EDGE_TOKEN',
    description: 'A fixed token to send instead of signed ones.',
  },
  {
    name: 'registrationToken',
    variable: 'REGISTRATION_TOKEN',
    description: 'Sent to the backend at registration.',
  },
] as const satisfies readonly { name: keyof Secrets; variable: string; description: string }[];

interface FoundSecrets {
  readonly secrets: Secrets;
  /** Every value given anywhere, used or not, so that none is ever printed. */
  readonly all: readonly string[];
  readonly warnings: readonly string[];
  /** Those that are said to be in the Keychain and could not be read there, each with why. They are among `warnings` too. */
  readonly unread: readonly { readonly name: keyof Secrets; readonly warning: string }[];
}

/** `keychain:<account>` in the place of a secret: it is in the login Keychain, under the service edge-agent. */
const IN_KEYCHAIN = /^keychain:([\w.+-]*)$/;

/**
 * Reads the secrets from the environment, else from `.env`; one in the Keychain is read from there, at each call.
 * Surrounding whitespace, which would make a secret wrong for the backend, is removed with a warning; an empty one is
 * not set. A missing one is not an error.
 */
export function findSecrets(
  env: NodeJS.ProcessEnv,
  dotenv: Dotenv,
  keychain: typeof readKeychain = readKeychain,
): FoundSecrets {
  const secrets: { -readonly [Name in keyof Secrets]: Secrets[Name] } = {};
  const all: string[] = [];
  const warnings: string[] = [];
  const unread: { name: keyof Secrets; warning: string }[] = [];
  for (const { name, variable } of SECRET_VARIABLES) {
    for (const value of [env[variable], dotenv.entries.get(variable)?.value]) {
      const trimmed = value?.trim();
      if (value === undefined || trimmed === undefined || trimmed === '') continue;
      const account = IN_KEYCHAIN.exec(trimmed)?.[1];
      if (account !== undefined) {
        if (secrets[name] !== undefined) continue;
        if (account === '') {
          warnings.push(`${variable} names no entry of the Keychain; expected keychain:<account>.`);
          continue;
        }
        const answer = keychain(account);
        if (answer.kind === 'found') {
          secrets[name] = answer.value;
          all.push(answer.value);
          continue;
        }
        const warning = `${variable} cannot be read from the Keychain (${account}): ${answer.why}.`;
        warnings.push(warning);
        unread.push({ name, warning });
        continue;
      }
      all.push(trimmed);
      if (secrets[name] !== undefined) continue;
      secrets[name] = trimmed;
      if (trimmed !== value) {
        warnings.push(`${variable} has whitespace around it (a newline from a file?); it is used without.`);
      }
    }
  }
  return { secrets, all, warnings, unread: unread.filter(({ name }) => secrets[name] === undefined) };
}

/**
 * The secrets that are not in `.env` itself: those of the environment, and those for which `.env` only names a Keychain
 * entry. By their variables.
 */
export function secretsFromElsewhere(env: NodeJS.ProcessEnv, { entries }: Dotenv): string[] {
  return SECRET_VARIABLES.map(({ variable }) => variable).filter((variable) => {
    const values = [env[variable]?.trim(), entries.get(variable)?.value.trim()];
    return (values[0] ?? '') !== '' || IN_KEYCHAIN.test(values[1] ?? '');
  });
}

/** The entries of the Keychain, by account, that hold secrets for that `.env`. */
export function keychainAccounts({ entries }: Dotenv): string[] {
  const accounts = SECRET_VARIABLES.map(
    ({ variable }) => IN_KEYCHAIN.exec(entries.get(variable)?.value.trim() ?? '')?.[1] ?? '',
  );
  return [...new Set(accounts)].filter((account) => account !== '');
}
