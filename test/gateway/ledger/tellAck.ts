import { takeAck } from '../../../src/gateway/ledger/agentReports.js';
import type { Transaction } from '../../../src/gateway/storage/GatewayDatabase.js';

/** Takes an ack of a command of this type, which is there from now on whether or not its agent is. */
export async function tellAck(
  transaction: Transaction,
  agentId: string,
  ack: Parameters<typeof takeAck>[2],
  commandType: string,
  now: number,
): Promise<void> {
  const command = { command_type: commandType };
  await transaction.query(
    `INSERT INTO commands (agent_id, position, command_id, command, made_at)
     SELECT CAST($1 AS TEXT), coalesce(max(position), 0) + 1, CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS BIGINT)
     FROM commands WHERE agent_id = $1
     ON CONFLICT (agent_id, command_id) DO NOTHING`,
    [agentId, ack.command_id, JSON.stringify(command), now],
  );
  await takeAck(transaction, agentId, ack, now);
}
