import type { ApiKey } from '../../gateway/ledger/apiKeys.js';
import { SCOPES } from '../../model/gatewayApi.js';
import { iso, isoOrNull, withLocalTimes } from '../../system/time.js';
import { EXIT } from '../exitCodes.js';
import { complain, give, handOver, print, printJson, stdoutTerminal } from '../print.js';
import { entryLines } from '../terminal.js';
import { askGateway } from './askGateway.js';
import { type AdminOptions, listed } from './gatewayPlace.js';

/** Makes a key for an application, and prints it. */
export async function addKey(
  options: AdminOptions & { scope: string; agents?: string },
  name: string,
): Promise<number> {
  const wanted = listed(options.scope);
  const scopes = SCOPES.filter((scope) => wanted.includes(scope));
  const unknown = wanted.filter((scope) => !(SCOPES as readonly string[]).includes(scope));
  if (unknown.length > 0 || scopes.length === 0) {
    complain(`edge-agent: --scope: expected some of ${SCOPES.join(', ')}, found "${unknown[0] ?? ''}"`);
    return EXIT.usage;
  }
  const agents = options.agents === undefined ? null : listed(options.agents);
  const asked = await askGateway(options, 'keys.add', { name, scopes, agents });
  if ('exitCode' in asked) return asked.exitCode;
  const { key, secret } = asked.result;
  const title = `Key ${key.id} (shown only once):`;
  handOver(options, { key: shown(key), secret }, { title, lines: [secret] });
  return EXIT.ok;
}

export async function listKeys(options: AdminOptions): Promise<number> {
  const asked = await askGateway(options, 'keys.list', {});
  if ('exitCode' in asked) return asked.exitCode;
  const keys = asked.result.map(shown);
  if (options.json) printJson({ schema: 1, keys });
  else if (keys.length === 0) print('There is no key yet. Make one: edge-agent gateway keys add my-app');
  else print(...keys.flatMap((key) => entryLines(keyLine(key), stdoutTerminal())));
  return EXIT.ok;
}

export async function revokeKey(options: AdminOptions, id: string): Promise<number> {
  const asked = await askGateway(options, 'keys.revoke', { id });
  if ('exitCode' in asked) return asked.exitCode;
  give(options, { id }, `${id} is refused from now on.`);
  return EXIT.ok;
}

function shown({ id, name, scopes, agents, createdAt, lastUsedAt, revokedAt }: ApiKey) {
  return {
    id,
    name,
    scopes,
    agents,
    created_at: iso(createdAt),
    last_used_at: isoOrNull(lastUsedAt),
    revoked_at: isoOrNull(revokedAt),
  };
}

function keyLine(key: ReturnType<typeof shown>): string {
  const used = key.last_used_at === null ? 'never used' : `used ${key.last_used_at}`;
  const state = key.revoked_at === null ? used : `revoked ${key.revoked_at}`;
  const agents = key.agents === null ? '' : `  for ${key.agents.join(', ')}`;
  return withLocalTimes(`${key.id}  ${key.name}  ${key.scopes.join(', ')}${agents}  ${state}`);
}
