import type { AgentResource } from '../../model/gatewayApi.js';
import { withLocalTimes } from '../../system/time.js';
import { plainPhone, unfit } from '../config/setupQuestions.js';
import { EXIT } from '../exitCodes.js';
import { complain, give, handOver, print, printJson, stdoutTerminal } from '../print.js';
import { entryLines } from '../terminal.js';
import { askGateway } from './askGateway.js';
import type { AgentSecret } from './gatewayAdmin.js';
import type { AdminOptions } from './gatewayPlace.js';

/** Lets a Mac in, and prints the lines that its `.env` needs. */
export async function addAgent(
  options: AdminOptions & { id?: string; name?: string; publicUrl?: string },
  typed: string,
): Promise<number> {
  const address = plainPhone(typed);
  const mistake = unfit('edge.user_phone', address);
  if (mistake !== undefined) {
    complain(`edge-agent: ${typed}: ${mistake}`, 'Write a number with its country, such as +13105550100.');
    return EXIT.usage;
  }
  const { id = null, name = null } = options;
  const asked = await askGateway(options, 'agents.add', { address, id, name });
  if ('exitCode' in asked) return asked.exitCode;
  const more = id === null ? [] : [`USER_PHONE=${address}`];
  return giveSecret(options, `Added ${asked.result.id}.`, asked.result, more);
}

/** Gives an agent a new secret; the old one counts for `overlap` hours. */
export async function rotateAgent(
  options: AdminOptions & { overlap: number; publicUrl?: string },
  id: string,
): Promise<number> {
  const asked = await askGateway(options, 'agents.rotate', { id, overlapSeconds: options.overlap * 3_600 });
  if ('exitCode' in asked) return asked.exitCode;
  const until = options.overlap === 0 ? 'is no longer valid' : `is valid for ${options.overlap} h more`;
  const title = `${id} has a new secret; the old one ${until}.`;
  return giveSecret(options, title, asked.result, []);
}

export async function removeAgent(options: AdminOptions, id: string): Promise<number> {
  const asked = await askGateway(options, 'agents.remove', { id });
  if ('exitCode' in asked) return asked.exitCode;
  const left = 'Its open commands could not be ended yet; the gateway retries within the hour.';
  const notes = asked.result.isLeft === true ? [left] : [];
  give(options, { id, orders_left: notes.length > 0 }, `${id} is refused from now on.`, ...notes);
  return EXIT.ok;
}

export async function listAgents(options: AdminOptions): Promise<number> {
  const asked = await askGateway(options, 'agents.list', {});
  if ('exitCode' in asked) return asked.exitCode;
  const agents = asked.result;
  if (options.json) printJson({ schema: 1, agents });
  else if (agents.length === 0)
    print('There is no agent yet. Add one: edge-agent gateway agents add +13105550100');
  else print(...agents.flatMap((agent) => entryLines(agentLine(agent), stdoutTerminal())));
  return EXIT.ok;
}

export async function showAgent(options: AdminOptions, id: string): Promise<number> {
  const asked = await askGateway(options, 'agents.show', { id });
  if ('exitCode' in asked) return asked.exitCode;
  const agent = asked.result;
  give(
    options,
    { agent },
    agentLine(agent),
    ...agent.problems.map(
      ({ code, message }) => `  ✗ ${typeof message === 'string' ? message : code} [${code}]`,
    ),
  );
  return EXIT.ok;
}

function agentLine(agent: AgentResource): string {
  const { id, online, connected_since, last_seen_at, registered_at, version, problems, commands_pending } =
    agent;
  const state = online ? (problems.length > 0 ? 'degraded' : 'online') : 'offline';
  const since = online ? connected_since : last_seen_at;
  return [
    id,
    registered_at === null ? 'never registered' : state,
    since === null ? '' : withLocalTimes(online ? `since ${since}` : `last seen ${since}`),
    version ?? '',
    commands_pending === 0
      ? ''
      : `${commands_pending} ${commands_pending === 1 ? 'command waits' : 'commands wait'}`,
  ]
    .filter((part) => part !== '')
    .join('  ');
}

function giveSecret(
  options: AdminOptions & { publicUrl?: string },
  title: string,
  { id, secret, publicUrl, localUrl }: AgentSecret,
  more: readonly string[],
): number {
  const known = options.publicUrl ?? publicUrl;
  const url = known ?? localUrl;
  const env = [
    `EDGE_AGENT_ID=${id}`,
    `EDGE_SECRET=${secret}`,
    ...(url === null ? [] : [`BACKEND_URL=${url}`]),
    ...more,
  ];
  handOver(
    options,
    { id, secret, env },
    {
      title: `${title} The .env of its Mac (the secret is shown only once):`,
      lines: env,
      notes: known === null ? [addressNote(localUrl)] : [],
    },
  );
  return EXIT.ok;
}

/** Where it is not known how agents reach the gateway. */
function addressNote(localUrl: string | null): string {
  return localUrl === null
    ? 'Add BACKEND_URL=https://… to it: where the gateway is reached from there.'
    : 'That BACKEND_URL is for this machine. From another one: BACKEND_URL=https://…, where the gateway is reached from there.';
}
