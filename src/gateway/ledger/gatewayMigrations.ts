import type { Migration } from '../storage/migrations.js';
import { agentEventTables } from './agentEvents.js';
import { agentTables } from './agents.js';
import { apiKeyTables } from './apiKeys.js';
import { auditTables } from './auditLog.js';
import { commandTables } from './commands.js';
import { connectionTables } from './connections.js';
import { conversationTables } from './conversations.js';
import { eventLogTables } from './eventLog.js';
import { idempotencyTables } from './idempotency.js';
import { inboxTables } from './inbox.js';
import { messageTables } from './messages.js';
import { removedAgentTables } from './removedAgents.js';
import { uploadTables } from './uploads.js';
import { webhookDeliveryTables } from './webhookDeliveries.js';
import { webhookTables } from './webhookEndpoints.js';

/**
 * The schema of the gateway, oldest version first. Each file of the ledger contributes its tables to the newest version that is not
 * released yet; a released version never changes.
 */
export const GATEWAY_MIGRATIONS: readonly Migration[] = [
  // Version 1: not released yet. One line for each file of the ledger: `...commandTables(dialect)`.
  (dialect) => [
    ...apiKeyTables(),
    ...auditTables(),
    ...conversationTables(),
    ...eventLogTables(dialect),
    ...idempotencyTables(),
    ...messageTables(),
    ...webhookDeliveryTables(),
    ...webhookTables(),
    ...agentEventTables(),
    ...agentTables(),
    ...commandTables(),
    ...connectionTables(),
    ...inboxTables(),
    ...removedAgentTables(),
    ...uploadTables(),
  ],
];
