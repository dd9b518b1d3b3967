import { z } from 'zod';
import { commandAcceptedSchema } from '../../model/gatewayApi.js';
import { freshId } from '../../system/random.js';
import { agentView, agentViews } from '../ledger/agentViews.js';
import { mayUseAgent } from '../ledger/apiKeys.js';
import { audit } from '../ledger/auditLog.js';
import type { Transaction } from '../storage/GatewayDatabase.js';
import { ApiError } from './ApiError.js';
import { decodePlace, json, type OperationHandler, pageOf, param, parsed, unknownAgent } from './apiCall.js';
import { OPERATIONS } from './apiContract.js';
import { repeatable } from './repeatable.js';

const placeSchema = z.object({ createdAt: z.int(), id: z.string() });

/** GET /v1/agents */
export const listAgents: OperationHandler = async ({ key, query }, { database, clock }) => {
  const { limit, cursor } = parsed(OPERATIONS.listAgents.query, query);
  const page = { agents: key.agents, after: decodePlace(placeSchema, cursor), limit: limit + 1 };
  const found = await agentViews(database, page, clock.now());
  const agent = (listed: (typeof found)[number]) => listed.agent;
  return json(pageOf(found, limit, agent, ({ place }) => place));
};

/** GET /v1/agents/{id} */
export const getAgent: OperationHandler = async (call, { database, clock }) => {
  const id = param(call, 'id');
  const agent = mayUseAgent(call.key, id) ? await agentView(database, id, clock.now()) : undefined;
  if (agent === undefined) throw new ApiError('not_found', 'agent_unknown', 'There is no such agent.');
  return json(agent);
};

/** POST /v1/agents/{id}/commands */
export const addCommand: OperationHandler = async (call, context) => {
  const { command_type: type, payload = {}, priority } = parsed(OPERATIONS.addCommand.body, call.body);
  const now = context.clock.now();
  const effect = async (tx: Transaction, agentId: string) => {
    const commandId = freshId('cmd');
    const command = { commandId, type, payload, priority };
    if (!(await context.commands.add(tx, agentId, command, now))) throw unknownAgent();
    const details = { command_type: type };
    await audit(tx, { actor: call.key.id, action: 'command.added', subject: commandId, details, at: now });
    const created_at = new Date(now).toISOString();
    return { answer: { id: commandId, agent: agentId, command_type: type, created_at } };
  };
  return repeatable(call, context, param(call, 'id'), commandAcceptedSchema, effect, now);
};
