import type { IncomingMessage, ServerResponse } from 'node:http';
import type { z } from 'zod';
import type { Logger } from '../../logging/Logger.js';
import type { Clock } from '../../system/clock.js';
import { plainIssue } from '../../system/plainIssues.js';
import type { CommandIntake } from '../application.js';
import type { EventBell } from '../events/EventBell.js';
import { firstAgents, isAgentKnown } from '../ledger/agentViews.js';
import { type ApiKey, mayUseAgent } from '../ledger/apiKeys.js';
import { requestHash } from '../ledger/idempotency.js';
import type { SecretBox } from '../ledger/SecretBox.js';
import type { GatewayDatabase, Queries } from '../storage/GatewayDatabase.js';
import type { UploadStore } from '../uploads/UploadStore.js';
import { ApiError, invalidRequest } from './ApiError.js';

/** What the operations work on. */
export interface ApiContext {
  readonly database: GatewayDatabase;
  readonly commands: CommandIntake;
  readonly bell: EventBell;
  /** Where the files of incoming messages are. */
  readonly uploads: Pick<UploadStore, 'read'>;
  readonly box: SecretBox;
  readonly clock: Clock;
  readonly log: Logger;
  /** Whether webhooks may be in private networks. */
  readonly allowPrivateAddresses: boolean;
}

/** A request whose key may make it. */
export interface ApiCall {
  readonly key: ApiKey;
  /** As the caller showed it, to look again whether it counts. */
  readonly secret: string;
  /** The parameters of the path, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  /** The whole path, for the hash of a repeatable request. */
  readonly path: string;
  readonly body: unknown;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** `streamed`: it was answered already. */
export type ApiReply =
  | { readonly kind: 'json'; readonly body: unknown; readonly headers: Readonly<Record<string, string>> }
  | { readonly kind: 'streamed' };

export type OperationHandler = (call: ApiCall, context: ApiContext) => Promise<ApiReply>;

export const json = (body: unknown, headers: Readonly<Record<string, string>> = {}): ApiReply => ({
  kind: 'json',
  body,
  headers,
});

/** A body or query in its form. Throws `invalid_request`. */
export function parsed<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value, { error: plainIssue });
  if (result.success) return result.data;
  throw invalidRequest(result.error);
}

/** A parameter of the path. */
export function param({ params }: ApiCall, name: string): string {
  return params[name] ?? '';
}

/**
 * The agent that a request is for: the one that it names, else the only one that its key may use. Throws `permission` for one that the
 * key may not use, `not_found` for one that there is not, `invalid_request` where it must be named.
 */
export async function agentOf(queries: Queries, key: ApiKey, named: string | undefined): Promise<string> {
  const agentId = await permittedAgent(queries, key, named);
  if (await isAgentKnown(queries, agentId)) return agentId;
  throw unknownAgent();
}

/** The same, but that there need not be an agent of that name. */
export async function permittedAgent(
  queries: Queries,
  key: ApiKey,
  named: string | undefined,
): Promise<string> {
  const agentId = named ?? (await onlyAgent(queries, key));
  if (mayUseAgent(key, agentId)) return agentId;
  throw new ApiError('permission', 'agent_not_allowed', 'This key may not use that agent.', {
    field: 'agent',
  });
}

/** The error for a key that there is not, or not any more. */
export function invalidKey(): ApiError {
  return new ApiError('authentication', 'key_invalid', 'There is no such API key, or it was revoked.', {
    headers: { 'WWW-Authenticate': 'Bearer' },
  });
}

/** The error for an agent that there is not, or not any more. */
export function unknownAgent(): ApiError {
  return new ApiError('not_found', 'agent_unknown', 'There is no such agent.', { field: 'agent' });
}

async function onlyAgent(queries: Queries, key: ApiKey): Promise<string> {
  const [only, another] = key.agents ?? (await firstAgents(queries));
  if (only !== undefined && another === undefined) return only;
  throw new ApiError(
    'invalid_request',
    'agent_required',
    only === undefined ? 'There is no agent yet.' : 'This key may use several agents: name one.',
    { field: 'agent' },
  );
}

const LONGEST_IDEMPOTENCY_KEY = 255;

/** The `Idempotency-Key` of a request; undefined: none. Throws `invalid_request` for one that is none. */
export function idempotencyKeyOf({ request }: ApiCall): string | undefined {
  const header = request.headers['idempotency-key'];
  if (header === undefined) return undefined;
  if (typeof header === 'string' && header.length > 0 && header.length <= LONGEST_IDEMPOTENCY_KEY)
    return header;
  throw new ApiError(
    'invalid_request',
    'idempotency_key_invalid',
    `Idempotency-Key: expected 1 to ${LONGEST_IDEMPOTENCY_KEY} characters.`,
    { field: 'Idempotency-Key' },
  );
}

/** What a repeat of this request has to equal. */
export function hashOfCall({ path, body, request }: ApiCall): string {
  return requestHash([request.method, path, body]);
}

/** The place that a cursor means; undefined: none was given. Throws `invalid_request` for one that is none of ours. */
export function decodePlace<T>(schema: z.ZodType<T>, cursor: string | undefined): T | undefined {
  if (cursor === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
  } catch {
    throw new ApiError('invalid_request', 'cursor_invalid', 'That is not a cursor of this list.', {
      field: 'cursor',
    });
  }
}

/** A page of a list: queried with one item more than `limit`, which shows whether there is a next page. */
export function pageOf<T>(
  items: readonly T[],
  limit: number,
  view: (item: T) => unknown,
  place: (item: T) => unknown,
): { data: unknown[]; next_cursor: string | null } {
  const shown = items.slice(0, limit);
  const last = shown.at(-1);
  const hasMore = items.length > limit && last !== undefined;
  const cursor = hasMore ? Buffer.from(JSON.stringify(place(last))).toString('base64url') : null;
  return { data: shown.map(view), next_cursor: cursor };
}
