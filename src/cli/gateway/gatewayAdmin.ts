import { z } from 'zod';
import { EdgeError } from '../../errors.js';
import { notifyOfSecrets } from '../../gateway/AgentSecrets.js';
import { notifyOfKeys } from '../../gateway/api/ApiKeys.js';
import { addAgent, endOldSecrets, removeAgent, rotateSecret } from '../../gateway/ledger/agents.js';
import { agentView, agentViews } from '../../gateway/ledger/agentViews.js';
import { type ApiKey, createApiKey, listApiKeys, revokeApiKey } from '../../gateway/ledger/apiKeys.js';
import { audit } from '../../gateway/ledger/auditLog.js';
import { endOrdersOf } from '../../gateway/ledger/removedAgents.js';
import { resealSecrets } from '../../gateway/ledger/resealSecrets.js';
import type { SecretBox } from '../../gateway/ledger/SecretBox.js';
import {
  findDelivery,
  listDeliveries,
  replayDelivery,
  type WebhookDelivery,
} from '../../gateway/ledger/webhookDeliveries.js';
import {
  createWebhook,
  deleteWebhook,
  findWebhook,
  listWebhooks,
  rotateWebhookSecret,
  type WebhookEndpoint,
} from '../../gateway/ledger/webhookEndpoints.js';
import type { GatewayDatabase, Transaction } from '../../gateway/storage/GatewayDatabase.js';
import { webhookUrlFault } from '../../gateway/webhooks/webhookUrl.js';
import { agentIdOf, isAgentId } from '../../model/agentId.js';
import { type AgentResource, DELIVERY_STATES, newWebhookSchema, SCOPES } from '../../model/gatewayApi.js';
import type { StatusVerb } from '../../operator/StatusServer.js';
import type { Clock } from '../../system/clock.js';
import { fieldErrors, plainIssue } from '../../system/plainIssues.js';
import { forgetKeysBefore, type GatewayKeys, nextKey } from './gatewayKey.js';

/** What an operator's verbs work on: a gateway that runs, or its database while none does. */
interface GatewayAdminParts {
  readonly database: GatewayDatabase;
  readonly box: SecretBox;
  /** The keys of the box, as they are configured now. */
  readonly keys: () => GatewayKeys;
  readonly clock: Clock;
  /** Where agents reach it; null: not known. */
  readonly publicUrl: string | null;
  /** Where those on this machine reach it; null: not known, or not by loopback. */
  readonly localUrl: string | null;
  /** Whether it posts webhooks to private addresses; undefined: not known, as none answers here. */
  readonly allowPrivateWebhooks: boolean | undefined;
}

/** The option by which a gateway posts to private addresses. */
export const ALLOW_PRIVATE = '--allow-private-webhooks';

/** Who did it, for the audit log. */
const OPERATOR = 'operator';
/** The most that one list has. */
const MOST = 10_000;

const id = z.string();
const overlapSeconds = z.int().min(0);
const byId = z.object({ id });
const nothing = z.object({});
const newAgent = z.object({ address: z.string(), id: id.nullable(), name: z.string().nullable() });
const rotation = z.object({ id, overlapSeconds });
const newKey = z.object({
  name: z.string().min(1).max(200),
  scopes: z.array(z.enum(SCOPES)).min(1),
  agents: z.array(id).nullable(),
});
const whichDeliveries = z.object({
  id,
  state: z.enum(DELIVERY_STATES).nullable(),
  limit: z.int().min(1).max(MOST),
});
const whichReplay = z.object({ id, event: z.string() });

/** A new secret, given this once. */
export interface AgentSecret {
  readonly id: string;
  readonly secret: string;
  readonly publicUrl: string | null;
  readonly localUrl: string | null;
}

/** What each verb is given. */
interface Given {
  readonly rekey: z.input<typeof nothing>;
  readonly 'agents.add': z.input<typeof newAgent>;
  readonly 'agents.list': z.input<typeof nothing>;
  readonly 'agents.show': z.input<typeof byId>;
  readonly 'agents.rotate': z.input<typeof rotation>;
  readonly 'agents.remove': z.input<typeof byId>;
  readonly 'keys.add': z.input<typeof newKey>;
  readonly 'keys.list': z.input<typeof nothing>;
  readonly 'keys.revoke': z.input<typeof byId>;
  readonly 'webhooks.add': z.input<typeof newWebhookSchema>;
  readonly 'webhooks.list': z.input<typeof nothing>;
  readonly 'webhooks.rotate': z.input<typeof rotation>;
  readonly 'webhooks.remove': z.input<typeof byId>;
  readonly 'webhooks.deliveries': z.input<typeof whichDeliveries>;
  readonly 'webhooks.replay': z.input<typeof whichReplay>;
}

/** What each gives. */
interface Results {
  /** How many secrets were sealed under another key. */
  readonly rekey: { readonly secrets: number };
  readonly 'agents.add': AgentSecret;
  readonly 'agents.list': readonly AgentResource[];
  readonly 'agents.show': AgentResource;
  readonly 'agents.rotate': AgentSecret;
  /** `isLeft`: what was ordered from it could not be ended yet. */
  readonly 'agents.remove': { readonly id: string; readonly isLeft?: boolean };
  readonly 'keys.add': { readonly key: ApiKey; readonly secret: string };
  readonly 'keys.list': readonly ApiKey[];
  readonly 'keys.revoke': { readonly id: string };
  /** `isAllowed`: whether the gateway is known to post there. */
  readonly 'webhooks.add': {
    readonly webhook: WebhookEndpoint;
    readonly secret: string;
    readonly isAllowed: boolean;
  };
  readonly 'webhooks.list': readonly WebhookEndpoint[];
  readonly 'webhooks.rotate': { readonly id: string; readonly secret: string };
  readonly 'webhooks.remove': { readonly id: string };
  readonly 'webhooks.deliveries': readonly WebhookDelivery[];
  readonly 'webhooks.replay': { readonly events: readonly string[] };
}

export type AdminVerb = keyof Given;
export type AdminGiven<V extends AdminVerb> = Given[V];
export type AdminResult<V extends AdminVerb> = Results[V];

/** What an operator may ask for. Each checks what it is given, and rejects with EdgeError. */
export type GatewayAdmin = { readonly [V in AdminVerb]: (given: Given[V]) => Promise<Results[V]> };

/** The same, as a running gateway answers them at its admin socket. */
export function adminSocketVerbs(admin: GatewayAdmin): Readonly<Record<string, StatusVerb>> {
  const verbs: Readonly<Record<string, (given: never) => Promise<unknown>>> = { ...admin };
  return Object.fromEntries(
    // Each checks what it is given, whatever its type says.
    Object.entries(verbs).map(([name, act]) => [name, ({ verb: _, ...given }) => act(given as never)]),
  );
}

export function gatewayAdmin(parts: GatewayAdminParts): GatewayAdmin {
  const { database, box, keys, clock, publicUrl, localUrl, allowPrivateWebhooks } = parts;
  /** One durable change, with its line in the audit log. */
  const change = <T>(
    action: string,
    subject: string,
    work: (transaction: Transaction, now: number) => Promise<T>,
    details: Readonly<Record<string, unknown>> = {},
  ): Promise<T> =>
    database.transaction(async (transaction) => {
      const now = clock.now();
      const result = await work(transaction, now);
      await audit(transaction, { actor: OPERATOR, action, subject, details, at: now });
      return result;
    });
  /** Tells replicas who may connect no more, even if it is not known whether the change is durable. */
  const notifying = async <T>(changed: Promise<T>, notify: () => Promise<void>): Promise<T> => {
    let result: T;
    try {
      result = await changed;
    } catch (error) {
      if (error instanceof EdgeError && error.code === 'commit_unknown') await notify();
      throw error;
    }
    await notify();
    return result;
  };
  const changeSecrets: typeof change = (action, agentId, work, details) =>
    notifying(change(action, agentId, work, details), () => notifyOfSecrets(database, agentId));
  const endpoint = async (webhookId: string) => {
    if ((await findWebhook(database, webhookId)) === undefined)
      missing('webhook', webhookId, 'webhooks list');
  };
  const sealUnderAnother = async () => {
    const found = keys();
    const key = nextKey(found);
    box.adopt(key);
    const secrets = await resealSecrets(database, box);
    await change('gateway.rekeyed', '', async () => undefined, { secrets });
    if (found.file !== undefined) forgetKeysBefore(found.file, key);
    return { secrets };
  };
  let rekeyed: Promise<unknown> = Promise.resolve();
  /** One at a time: one that ended last would leave its own key in the file, and not that of one which began later. */
  const rekey = () => {
    const mine = rekeyed.then(sealUnderAnother, sealUnderAnother);
    rekeyed = mine;
    return mine;
  };
  return {
    rekey: checked(nothing, rekey),
    'agents.add': checked(newAgent, async ({ address, id: given, name }) => {
      const agentId = given ?? agentIdOf(address);
      if (!isAgentId(agentId))
        throw new EdgeError('invalid_payload', `"${agentId}" cannot be the id of an agent.`);
      const agent = { id: agentId, name, isInvited: false };
      const secret = await change('agent.added', agentId, async (transaction, now) => {
        const made = await addAgent(transaction, box, agent, now);
        if (made !== undefined) return made;
        throw new EdgeError(
          'invalid_payload',
          `There is an agent ${agentId} already.`,
          `To give it a new secret: edge-agent gateway agents rotate ${agentId}`,
        );
      });
      return { id: agentId, secret, publicUrl, localUrl };
    }),
    'agents.list': checked(nothing, async () => {
      const page = { agents: null, after: undefined, limit: MOST };
      return (await agentViews(database, page, clock.now())).map(({ agent }) => agent);
    }),
    'agents.show': checked(
      byId,
      async ({ id }) => (await agentView(database, id, clock.now())) ?? missing('agent', id, 'agents list'),
    ),
    'agents.rotate': checked(rotation, async ({ id, overlapSeconds }) => {
      const rotate = async (transaction: Transaction, now: number) => {
        const made = await rotateSecret(transaction, box, id, overlapSeconds * 1_000, now);
        if (made === undefined) return missing('agent', id, 'agents list');
        if (overlapSeconds === 0) await endOldSecrets(transaction, id);
        return made;
      };
      const details = { overlap_seconds: overlapSeconds };
      const secret = await changeSecrets('agent.secret_rotated', id, rotate, details);
      return { id, secret, publicUrl, localUrl };
    }),
    'agents.remove': checked(byId, async ({ id }) => {
      await changeSecrets('agent.removed', id, async (transaction, now) => {
        if (!(await removeAgent(transaction, id, now))) missing('agent', id, 'agents list');
      });
      try {
        await endOrdersOf(database, id, clock.now());
        return { id };
      } catch {
        // It is removed anyway. The gateway retries each hour, and its log says why it failed.
        return { id, isLeft: true };
      }
    }),
    'keys.add': checked(newKey, (wanted) =>
      database.transaction(async (transaction) => {
        const now = clock.now();
        const made = await createApiKey(transaction, wanted, now);
        const { name, ...details } = wanted;
        const subject = made.key.id;
        await audit(transaction, { actor: OPERATOR, action: 'key.created', subject, details, at: now });
        return made;
      }),
    ),
    'keys.list': checked(nothing, () => listApiKeys(database)),
    'keys.revoke': checked(byId, ({ id }) => {
      const revoked = change('key.revoked', id, async (transaction, now) => {
        if (!(await revokeApiKey(transaction, id, now))) missing('valid key', id, 'keys list');
        return { id };
      });
      return notifying(revoked, () => notifyOfKeys(database));
    }),
    'webhooks.add': checked(newWebhookSchema, (wanted) => {
      const isAllowed = isAlwaysAllowed(wanted.url, allowPrivateWebhooks) || allowPrivateWebhooks === true;
      return database.transaction(async (transaction) => {
        const now = clock.now();
        const { url, events, agents = null, description = null } = wanted;
        const made = await createWebhook(
          transaction,
          box,
          { keyId: OPERATOR, url, events, agents, description },
          now,
        );
        const subject = made.endpoint.id;
        const details = { events, agents };
        await audit(transaction, { actor: OPERATOR, action: 'webhook.created', subject, details, at: now });
        return { webhook: made.endpoint, secret: made.secret, isAllowed };
      });
    }),
    'webhooks.list': checked(nothing, () => listWebhooks(database, null)),
    'webhooks.rotate': checked(rotation, async ({ id, overlapSeconds }) => {
      await endpoint(id);
      const rotate = (transaction: Transaction, now: number) =>
        rotateWebhookSecret(transaction, box, id, overlapSeconds * 1_000, now);
      const details = { overlap_seconds: overlapSeconds };
      return { id, secret: await change('webhook.secret_rotated', id, rotate, details) };
    }),
    'webhooks.remove': checked(byId, async ({ id }) => {
      await endpoint(id);
      await change('webhook.deleted', id, (transaction) => deleteWebhook(transaction, id));
      return { id };
    }),
    'webhooks.deliveries': checked(whichDeliveries, async ({ id, state, limit }) => {
      await endpoint(id);
      return listDeliveries(database, id, { state: state ?? undefined, before: undefined, limit });
    }),
    'webhooks.replay': checked(whichReplay, async ({ id, event }) => {
      await endpoint(id);
      const setAside = { state: 'set_aside', before: undefined, limit: MOST } as const;
      const found =
        event === 'all'
          ? await listDeliveries(database, id, setAside)
          : [
              (await findDelivery(database, id, event)) ??
                missing('delivery of', event, `webhooks deliveries ${id}`),
            ];
      // Each in a separate transaction: one that holds the locks of several agents could deadlock with another such
      // one.
      for (const delivery of found) {
        const details = { event: delivery.eventId };
        const replay = (transaction: Transaction, now: number) => replayDelivery(transaction, delivery, now);
        await change('webhook.replayed', id, replay, details);
      }
      return { events: found.map(({ eventId }) => eventId) };
    }),
  };
}

/** Checks what is given: it may come by a socket. */
function checked<S extends z.ZodType, Result>(
  schema: S,
  act: (given: z.output<S>) => Promise<Result>,
): (given: z.input<S>) => Promise<Result> {
  return async (given) => {
    const read = schema.safeParse(given, { error: plainIssue });
    if (read.success) return act(read.data);
    throw new EdgeError('invalid_payload', `${fieldErrors(read.error)[0]}.`);
  };
}

/** Whether every gateway posts there; throws EdgeError where this one, or any, does not. */
function isAlwaysAllowed(url: string, allowPrivate: boolean | undefined): boolean {
  const never = webhookUrlFault(url, true);
  if (never !== undefined) throw new EdgeError('invalid_payload', `${url}: ${never}`);
  const fault = webhookUrlFault(url, false);
  if (fault !== undefined && allowPrivate === false)
    throw new EdgeError(
      'invalid_payload',
      `${url}: ${fault}`,
      `To have webhooks posted there, run the gateway with ${ALLOW_PRIVATE}.`,
    );
  return fault === undefined;
}

function missing(kind: string, id: string, list: string): never {
  throw new EdgeError(
    'invalid_payload',
    `There is no ${kind} ${id}.`,
    `See them: edge-agent gateway ${list}`,
  );
}
