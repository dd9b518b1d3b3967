import { readFileSync } from 'node:fs';
import { describeError } from '../../errors.js';
import { plainPhone, unfit } from './setupQuestions.js';

/** As on the command line. Never a secret, because every user can list processes with their arguments. */
export interface SetupFlags {
  readonly yes: boolean;
  readonly force: boolean;
  readonly install: boolean;
  readonly backendUrl?: string;
  readonly phone?: string;
  readonly secretFile?: string;
  readonly secretStdin?: boolean;
  readonly keychain?: boolean;
}

/** What need not be asked any more. */
export interface SetupAnswers {
  readonly backendUrl?: string;
  readonly userPhone?: string;
  readonly secret?: string;
}

const STDIN = 0;

/** The answers that the flags give, each checked as the configuration would; or what is wrong with them. */
export function answersOf(
  flags: SetupFlags,
): { kind: 'given'; given: SetupAnswers } | { kind: 'wrong'; why: string } {
  const wrong = (why: string) => ({ kind: 'wrong', why }) as const;
  const { backendUrl, phone, secretFile, secretStdin } = flags;
  const userPhone = phone === undefined ? undefined : plainPhone(phone);
  const badUrl = backendUrl === undefined ? undefined : unfit('backend.url', backendUrl);
  if (badUrl !== undefined) return wrong(`--backend-url: ${badUrl}`);
  const badPhone = userPhone === undefined ? undefined : unfit('edge.user_phone', userPhone);
  if (badPhone !== undefined) return wrong(`--phone: ${badPhone}`);
  if (secretFile !== undefined && secretStdin === true)
    return wrong('--secret-file and --secret-stdin exclude each other.');
  if (secretStdin === true && !flags.yes)
    return wrong('--secret-stdin needs --yes, because the answers are read from stdin.');
  const source = secretStdin === true ? STDIN : secretFile;
  if (source === undefined) return { kind: 'given', given: given(backendUrl, userPhone, undefined) };
  try {
    const secret = readFileSync(source, 'utf8').trim();
    if (secret === '') return wrong('The secret is empty.');
    return { kind: 'given', given: given(backendUrl, userPhone, secret) };
  } catch (error) {
    return wrong(`The secret cannot be read: ${describeError(error)}.`);
  }
}

function given(backendUrl?: string, userPhone?: string, secret?: string): SetupAnswers {
  return {
    ...(backendUrl === undefined ? {} : { backendUrl }),
    ...(userPhone === undefined ? {} : { userPhone }),
    ...(secret === undefined ? {} : { secret }),
  };
}
