import { normaliseBase, parseBackendUrl, shownAddress } from '../../config/backendUrls.js';
import { edge } from '../../config/sections/connection.js';
import { EdgeError } from '../../errors.js';
import type { ConformanceTarget, PlayedIdentity } from '../../kit/conformance/ConformanceRun.js';
import { agentIdOf } from '../../model/agentId.js';
import { isLoopback } from '../../system/network.js';
import { secretFor } from '../config/secretFile.js';

export interface ConformanceFlags {
  readonly secretFile?: string;
  readonly auth?: 'token' | 'secret';
  readonly sendUrl?: string;
  readonly sendKeyFile?: string;
  readonly registrationTokenFile?: string;
  readonly phone?: string;
  readonly agentId?: string;
  /** False by `--no-reflex`. */
  readonly reflex?: boolean;
  /** Ids, with commas between them. */
  readonly only?: string;
  readonly slow?: boolean;
  readonly json?: boolean;
  readonly junit?: string;
  readonly yes?: boolean;
}

/** Fictitious numbers: 555-0100 to 555-0199 are reserved for fiction (NANPA). */
const AGENT_PHONE = '+12025550143';
const OTHER_PHONE = '+12025550144';
const PERSON = '+12025550199';

const PHONE = 'a number in E.164 form, such as +12025550143';
const AGENT_ID = 'an id of visible ASCII characters without a colon';

const SEND_PATH = '/api/send-message';

/** The backend that the flags name. Throws an EdgeError for a value that is no use, and where a secret is missing. */
export function readTarget(
  flags: ConformanceFlags,
  address: string,
  env: NodeJS.ProcessEnv,
): ConformanceTarget {
  const url = normaliseBase(usable(address, 'the backend'));
  const phone = flags.phone ?? AGENT_PHONE;
  const { user_phone, agent_id } = edge.shape;
  if (!user_phone.safeParse(phone).success)
    throw new EdgeError('invalid_payload', `--phone: expected ${PHONE}, found "${phone}".`);
  if (!agent_id.safeParse(flags.agentId).success)
    throw new EdgeError('invalid_payload', `--agent-id: expected ${AGENT_ID}, found "${flags.agentId}".`);
  const { auth = 'token' } = flags;
  const secret = secretFor(flags.secretFile, env, 'EDGE_SECRET');
  return {
    url,
    secret,
    auth,
    agent: identity(phone, flags.agentId),
    other: identity(phone === OTHER_PHONE ? AGENT_PHONE : OTHER_PHONE),
    person: PERSON,
    reflexes: flags.reflex ?? true,
    registrationToken: registrationToken(flags.registrationTokenFile, env),
    ...sending(flags, env, url, secret),
  };
}

/** The secret serves as the key on this machine alone: it is never sent as it is to another one. */
function sending(
  flags: ConformanceFlags,
  env: NodeJS.ProcessEnv,
  url: string,
  secret: string,
): Pick<ConformanceTarget, 'sendUrl' | 'sendKey'> {
  const sendUrl = flags.sendUrl === undefined ? `${url}${SEND_PATH}` : usable(flags.sendUrl, '--send-url');
  const isGiven = flags.sendKeyFile !== undefined || (env.EDGE_ADMIN_KEY ?? '') !== '';
  if (isGiven) return { sendUrl, sendKey: secretFor(flags.sendKeyFile, env, 'EDGE_ADMIN_KEY') };
  if (isLoopback(new URL(sendUrl).hostname)) return { sendUrl, sendKey: secret };
  if (flags.sendUrl === undefined) return { sendUrl: undefined, sendKey: '' };
  throw new EdgeError(
    'secret_missing',
    'There is no key for --send-url.',
    'Put it into a file and give --send-key-file, or set EDGE_ADMIN_KEY.',
  );
}

/** Optional: most backends register every agent with the secret. */
function registrationToken(file: string | undefined, env: NodeJS.ProcessEnv): string | undefined {
  const isGiven = file !== undefined || (env.REGISTRATION_TOKEN ?? '').trim() !== '';
  return isGiven ? secretFor(file, env, 'REGISTRATION_TOKEN') : undefined;
}

function identity(phone: string, id = agentIdOf(phone)): PlayedIdentity {
  return { id, phone };
}

function usable(address: string, name: string): string {
  const judged = parseBackendUrl(address);
  if (judged.kind === 'usable') return judged.url.href;
  throw new EdgeError(
    'backend_insecure',
    `${name}: expected ${judged.expected}, found "${shownAddress(address)}".`,
  );
}
