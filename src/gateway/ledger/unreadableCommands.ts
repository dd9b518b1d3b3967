import type { Transaction } from '../storage/GatewayDatabase.js';
import { readCommand } from './commands.js';
import { endOrder, orderRow } from './endOrder.js';
import { UNREADABLE } from './messageStatus.js';
import { readRows } from './readRows.js';

/**
 * Ends a waiting command that cannot be read, and publishes its event: it is not known whether it was offered before.
 * Returns its id; undefined if there is no such command any more. Takes the lock of the agent.
 */
export async function setAsideUnreadable(
  transaction: Transaction,
  agentId: string,
  position: number,
  now: number,
): Promise<string | undefined> {
  void transaction.lock(agentId);
  const found = await transaction.query(
    'SELECT position, command_id, command FROM commands WHERE agent_id = $1 AND position = $2 AND acked_at IS NULL',
    [agentId, position],
  );
  const [row] = readRows(orderRow, found);
  if (row === undefined || readCommand(row.command) !== undefined) return undefined;
  const evidence = { kind: 'damage', at: now } as const;
  const end = { evidence, error: `item_set_aside: ${UNREADABLE}`, id: 'unreadable', at: now };
  await endOrder(transaction, agentId, row, end, now);
  return row.command_id;
}
