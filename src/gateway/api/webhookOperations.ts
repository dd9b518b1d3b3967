import { z } from 'zod';
import type { DeliveryView, WebhookView } from '../../model/gatewayApi.js';
import { freshId } from '../../system/random.js';
import { type ApiKey, hasScope, keyCounts, mayUseAgent } from '../ledger/apiKeys.js';
import { audit } from '../ledger/auditLog.js';
import { publishTest } from '../ledger/eventLog.js';
import {
  listDeliveries as deliveriesOf,
  findDelivery,
  replayDelivery as replay,
  type WebhookDelivery,
} from '../ledger/webhookDeliveries.js';
import {
  changeWebhook as change,
  createWebhook as create,
  findWebhook,
  findWebhookToChange,
  deleteWebhook as remove,
  rotateWebhookSecret as rotate,
  type WebhookEndpoint,
  listWebhooks as webhooksOf,
} from '../ledger/webhookEndpoints.js';
import type { Queries, Transaction } from '../storage/GatewayDatabase.js';
import { webhookUrlFault } from '../webhooks/webhookUrl.js';
import { ApiError } from './ApiError.js';
import {
  type ApiCall,
  decodePlace,
  invalidKey,
  json,
  type OperationHandler,
  pageOf,
  param,
  parsed,
} from './apiCall.js';
import { OPERATIONS } from './apiContract.js';

/** POST /v1/webhooks */
export const createWebhook: OperationHandler = async (
  call,
  { database, box, clock, allowPrivateAddresses },
) => {
  const { url, events, agents, description = null } = parsed(OPERATIONS.createWebhook.body, call.body);
  checkUrl(url, allowPrivateAddresses);
  const now = clock.now();
  const wanted = { keyId: call.key.id, url, events, agents: agentsOf(call.key, agents ?? null), description };
  const { endpoint, secret } = await database.transaction(async (tx) => {
    await mustCount(tx, call.key);
    const made = await create(tx, box, wanted, now);
    await audit(tx, entry(call, 'webhook.created', made.endpoint.id, now));
    return made;
  });
  return json({ ...view(endpoint, now), secret });
};

/** GET /v1/webhooks */
export const listWebhooks: OperationHandler = async ({ key }, { database, clock }) => {
  const found = await webhooksOf(database, seesAll(key) ? null : key.id);
  return json({ data: found.map((endpoint) => view(endpoint, clock.now())), next_cursor: null });
};

/** GET /v1/webhooks/{id} */
export const getWebhook: OperationHandler = async (call, { database, clock }) =>
  json(view(await endpointOf(database, call), clock.now()));

/** PATCH /v1/webhooks/{id} */
export const changeWebhook: OperationHandler = async (
  call,
  { database, clock, bell, allowPrivateAddresses },
) => {
  const wanted = parsed(OPERATIONS.changeWebhook.body, call.body);
  if (wanted.url !== undefined) checkUrl(wanted.url, allowPrivateAddresses);
  const now = clock.now();
  return database.transaction(async (tx) => {
    await mustCount(tx, call.key);
    const before = allowed(call, await findWebhookToChange(tx, param(call, 'id')));
    const disabled = wanted.enabled === false ? 'request' : null;
    const changed: WebhookEndpoint = {
      ...before,
      url: wanted.url ?? before.url,
      events: wanted.events ?? before.events,
      agents: wanted.agents === undefined ? before.agents : agentsOf(call.key, wanted.agents),
      description: wanted.description === undefined ? before.description : wanted.description,
      disabledReason: wanted.enabled === undefined ? before.disabledReason : disabled,
    };
    await change(tx, changed);
    await audit(tx, entry(call, 'webhook.changed', before.id, now));
    tx.afterCommit(() => bell.ring());
    return json(view(changed, now));
  });
};

/** DELETE /v1/webhooks/{id} */
export const deleteWebhook: OperationHandler = async (call, { database, clock }) =>
  database.transaction(async (tx) => {
    const { id } = await endpointOf(tx, call);
    await remove(tx, id);
    await audit(tx, entry(call, 'webhook.deleted', id, clock.now()));
    return json({ id, deleted: true });
  });

/** POST /v1/webhooks/{id}/rotate-secret */
export const rotateWebhookSecret: OperationHandler = async (call, { database, box, clock }) => {
  const { overlap_seconds: overlap } = parsed(OPERATIONS.rotateWebhookSecret.body, call.body);
  const now = clock.now();
  return database.transaction(async (tx) => {
    const { id } = await endpointOf(tx, call);
    const secret = await rotate(tx, box, id, overlap * 1000, now);
    await audit(tx, entry(call, 'webhook.secret_rotated', id, now));
    return json({ ...view(await endpointOf(tx, call), now), secret });
  });
};

/** POST /v1/webhooks/{id}/test */
export const testWebhook: OperationHandler = async (call, { database, clock, bell }) =>
  database.transaction(async (tx) => {
    const { id } = await endpointOf(tx, call);
    const eventId = freshId('evt');
    await publishTest(tx, id, eventId, clock.now());
    tx.afterCommit(() => bell.ring());
    return json(deliveryView(await deliveryOf(tx, id, eventId)));
  });

/** GET /v1/webhooks/{id}/deliveries */
export const listDeliveries: OperationHandler = async (call, { database }) => {
  const { state, limit, cursor } = parsed(OPERATIONS.listDeliveries.query, call.query);
  const { id } = await endpointOf(database, call);
  const before = decodePlace(z.int(), cursor);
  const found = await deliveriesOf(database, id, { state, before, limit: limit + 1 });
  return json(pageOf(found, limit, deliveryView, ({ seq }) => seq));
};

/** POST /v1/webhooks/{id}/deliveries/{delivery}/replay */
export const replayDelivery: OperationHandler = async (call, { database, clock, bell }) => {
  const now = clock.now();
  return database.transaction(async (tx) => {
    const { id } = await endpointOf(tx, call);
    const delivery = await deliveryOf(tx, id, param(call, 'delivery'));
    await replay(tx, delivery, now);
    await audit(tx, entry(call, 'webhook.replayed', id, now));
    tx.afterCommit(() => bell.ring());
    return json(deliveryView(await deliveryOf(tx, id, delivery.eventId)));
  });
};

/** A key that is revoked disables its webhooks: none is made or enabled behind that. */
async function mustCount(transaction: Transaction, key: ApiKey): Promise<void> {
  if (!(await keyCounts(transaction, key.id))) throw invalidKey();
}

/** Whether a key sees the webhooks of others: an admin's for some agents would learn of all by them. */
const seesAll = (key: ApiKey) => hasScope(key, 'admin') && key.agents === null;

/** The webhook of the path, if the key made it or is an admin's. */
async function endpointOf(queries: Queries, call: ApiCall): Promise<WebhookEndpoint> {
  return allowed(call, await findWebhook(queries, param(call, 'id')));
}

function allowed(call: ApiCall, endpoint: WebhookEndpoint | undefined): WebhookEndpoint {
  if (endpoint !== undefined && (endpoint.keyId === call.key.id || seesAll(call.key))) return endpoint;
  throw new ApiError('not_found', 'webhook_unknown', 'There is no such webhook.');
}

async function deliveryOf(queries: Queries, webhookId: string, eventId: string): Promise<WebhookDelivery> {
  const delivery = await findDelivery(queries, webhookId, eventId);
  if (delivery !== undefined) return delivery;
  throw new ApiError('not_found', 'delivery_unknown', 'There is no such delivery.');
}

/** A webhook gets nothing of an agent that its key may not use. */
function agentsOf(key: ApiKey, wanted: readonly string[] | null): readonly string[] | null {
  if (wanted === null || wanted.every((agentId) => mayUseAgent(key, agentId))) return wanted ?? key.agents;
  throw new ApiError('permission', 'agent_not_allowed', 'This key may not use one of these agents.', {
    field: 'agents',
  });
}

function checkUrl(url: string, allowPrivateAddresses: boolean): void {
  const fault = webhookUrlFault(url, allowPrivateAddresses);
  if (fault !== undefined) throw new ApiError('invalid_request', 'url_not_allowed', fault, { field: 'url' });
}

function entry({ key }: ApiCall, action: string, subject: string, at: number) {
  return { actor: key.id, action, subject, details: {}, at };
}

function view(endpoint: WebhookEndpoint, now: number): WebhookView {
  const { id, url, events, agents, description, disabledReason, createdAt, previousUntil } = endpoint;
  const isRotating = previousUntil !== null && previousUntil > now;
  return {
    id,
    url,
    events: [...events],
    agents: agents === null ? null : [...agents],
    description,
    enabled: disabledReason === null,
    disabled_reason: disabledReason,
    created_at: new Date(createdAt).toISOString(),
    previous_secret_valid_until: isRotating ? new Date(previousUntil).toISOString() : null,
  };
}

function deliveryView(delivery: WebhookDelivery): DeliveryView {
  const time = (at: number | null) => (at === null ? null : new Date(at).toISOString());
  return {
    id: delivery.eventId,
    webhook: delivery.webhookId,
    agent: delivery.agentId === '' ? null : delivery.agentId,
    event_type: delivery.eventType,
    state: delivery.state,
    attempts: delivery.attempts,
    created_at: new Date(delivery.createdAt).toISOString(),
    next_attempt_at: time(delivery.nextAt),
    last_attempt_at: time(delivery.lastAt),
    last_status: delivery.lastStatus,
    last_error: delivery.lastError,
    answer: delivery.answer,
  };
}
