import { addAgent } from '../../src/gateway/ledger/agents.js';
import { createApiKey } from '../../src/gateway/ledger/apiKeys.js';
import { SecretBox } from '../../src/gateway/ledger/SecretBox.js';
import type { GatewayDatabase } from '../../src/gateway/storage/GatewayDatabase.js';
import { AGENT_ID, PERSON, SECRET } from '../support/EdgeWorld.js';
import { until } from '../support/until.js';

/** Adds the agent of an EdgeWorld to the database of a gateway that has this key, and closes it. Gives an API key for an application. */
export async function admitAgent(key: Buffer, database: GatewayDatabase): Promise<string> {
  const secret = await database.transaction(async (transaction) => {
    const agent = { id: AGENT_ID, name: null, isInvited: false, secret: SECRET };
    await addAgent(transaction, new SecretBox(key), agent, Date.now());
    const wanted = { name: 'the application', scopes: ['admin'], agents: null } as const;
    return (await createApiKey(transaction, wanted, Date.now())).secret;
  });
  await database.close();
  return secret;
}

/** Orders a text as an application does that knows how to repeat itself. */
export async function order(url: string, key: string, text: string): Promise<void> {
  const body = JSON.stringify({
    edge_agent_id: AGENT_ID,
    thread_id: PERSON,
    message: text,
    command_id: `cmd_${text}`,
  });
  const headers = { 'X-Admin-Key': key };
  await until(
    async () => {
      try {
        return (await fetch(`${url}/api/send-message`, { method: 'POST', headers, body })).status === 200;
      } catch {
        // It is being killed, or not up again.
        return false;
      }
    },
    () => `the order of "${text}"`,
  );
}

async function pending(url: string, key: string): Promise<unknown> {
  try {
    const answer = await fetch(`${url}/edge/websocket/stats`, { headers: { 'X-Admin-Key': key } });
    return JSON.parse(await answer.text()).commands_pending;
  } catch {
    return undefined;
  }
}

/** Resolves once the agent has acked every command. */
export function untilAcked(url: string, key: string): Promise<void> {
  return until(
    async () => (await pending(url, key)) === 0,
    () => 'every command to be acked',
  );
}
