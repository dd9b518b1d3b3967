import { z } from 'zod';
import { OPERATIONS, type Operation } from '../../gateway/api/apiContract.js';
import * as api from '../../model/gatewayApi.js';
import { gatewayEventSchemas, webhookAnswerSchema } from '../../model/gatewayEvents.js';
import { newMessageSchema, outgoingMessageSchema } from '../../model/gatewayMessages.js';
import { packageVersion } from '../../system/version.js';
import { examplesIn } from './examples.js';
import { type JsonSchema, tidy } from './jsonSchemas.js';

const INTRODUCTION = `The API of \`edge-agent gateway\` for applications: docs/gateway-api.md.`;

/** `message.received` → `MessageReceivedEvent`. */
const eventName = (type: string) =>
  `${type.replace(/(^|[._])(\w)/g, (_match, _mark, letter: string) => letter.toUpperCase())}Event`;

const EVENTS: readonly (readonly [string, z.ZodType])[] = Object.entries(gatewayEventSchemas);

/** Every body of the API by its name in the document. */
export const GATEWAY_SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  NewMessage: newMessageSchema,
  Message: outgoingMessageSchema,
  MessagePage: api.messagePageSchema,
  Agent: api.agentSchema,
  AgentPage: api.agentPageSchema,
  MessageStatistics: api.statisticsSchema,
  NewCommand: api.newCommandSchema,
  CommandAccepted: api.commandAcceptedSchema,
  ConversationPage: api.conversationPageSchema,
  NewWebhook: api.newWebhookSchema,
  WebhookChange: api.webhookChangeSchema,
  Webhook: api.webhookSchema,
  WebhookWithSecret: api.webhookWithSecretSchema,
  WebhookPage: api.webhookPageSchema,
  RotateSecret: api.rotateSecretSchema,
  Delivery: api.deliverySchema,
  DeliveryPage: api.deliveryPageSchema,
  Deleted: api.deletedSchema,
  Error: api.apiErrorSchema,
  WebhookAnswer: webhookAnswerSchema,
  ...Object.fromEntries(EVENTS.map(([type, schema]) => [eventName(type), schema])),
};

const ERRORS: Readonly<Record<string, readonly [number, string]>> = {
  invalid_request: [400, 'The request is invalid; `field` names the invalid field.'],
  authentication: [401, 'No API key, or an invalid one.'],
  permission: [403, 'The key does not have the scope, or may not use the agent.'],
  not_found: [404, 'It does not exist, or the key has no access to it.'],
  conflict: [409, 'Not possible in its current state; or the Idempotency-Key was used for another request.'],
  rate_limit: [429, 'Too many requests of this key: retry after Retry-After.'],
  internal: [500, 'Internal error.'],
  unavailable: [
    503,
    'The database is unavailable: retry after Retry-After. `commit_unknown`: it may have been stored.',
  ],
};

const OF_ALL = ['authentication', 'permission', 'rate_limit', 'internal', 'unavailable'];
const place = (name: string) => `#/components/schemas/${name}`;

/** The gateway's API as an OpenAPI 3.1 document, with the examples of the pages. */
export function gatewayOpenapi(pages: readonly string[]): JsonSchema {
  const paths: Record<string, JsonSchema> = {};
  const operations: readonly (readonly [string, Operation])[] = Object.entries(OPERATIONS);
  for (const [id, operation] of operations) {
    paths[operation.path] = {
      ...paths[operation.path],
      [operation.method.toLowerCase()]: operationObject(id, operation, pages),
    };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'edge-agent gateway: the API for applications',
      version: packageVersion(),
      description: INTRODUCTION,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: 'http://127.0.0.1:8787', description: 'edge-agent gateway' }],
    security: [{ apiKey: [] }],
    paths,
    webhooks: Object.fromEntries(EVENTS.map(([type]) => [type, { post: webhookObject(type, pages) }])),
    components: {
      securitySchemes: {
        apiKey: { type: 'http', scheme: 'bearer', description: 'An API key: `eg_live_…`.' },
      },
      parameters: {
        IdempotencyKey: {
          name: 'Idempotency-Key',
          in: 'header',
          required: false,
          description:
            'Your key for one request: a repeat within a day gets the first answer, with `Idempotency-Replayed: true`.',
          schema: { type: 'string', maxLength: 255 },
        },
        LastEventId: {
          name: 'Last-Event-ID',
          in: 'header',
          required: false,
          description: 'The `id` of the last event that you have received.',
          schema: { type: 'string' },
        },
      },
      responses: Object.fromEntries(
        Object.entries(ERRORS).map(([type, [, description]]) => [
          type,
          { description, content: content('Error', []) },
        ]),
      ),
      schemas: schemas(),
    },
  };
}

function operationObject(id: string, operation: Operation, pages: readonly string[]): JsonSchema {
  const { method, path, scope, summary, description, query, body, isRepeatable, status, reply, errors } =
    operation;
  const ofPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const headers = [
    ...(isRepeatable ? ['IdempotencyKey'] : []),
    ...(reply === null ? ['LastEventId'] : []),
  ].map((name) => ({ $ref: `#/components/parameters/${name}` }));
  const parameters = [...ofPath, ...(query === undefined ? [] : queryParameters(query)), ...headers];
  return {
    operationId: id,
    summary,
    description: `${description}\n\nScope: \`${scope}\`.`,
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined || method === 'GET'
      ? {}
      : {
          requestBody: {
            required: true,
            content: content(nameOf(body), examplesOf(pages, `api request: ${id}`, body)),
          },
        }),
    responses: {
      [status]: {
        description: summary,
        content:
          reply === null
            ? { 'text/event-stream': { schema: { type: 'string' } } }
            : reply === 'file'
              ? { '*/*': { schema: { type: 'string', format: 'binary' } } }
              : content(nameOf(reply), examplesOf(pages, `api reply: ${id}`, reply)),
      },
      ...Object.fromEntries(
        [...OF_ALL, ...errors].map((type) => [
          ERRORS[type]?.[0] ?? 500,
          { $ref: `#/components/responses/${type}` },
        ]),
      ),
    },
  };
}

function webhookObject(type: string, pages: readonly string[]): JsonSchema {
  const name = eventName(type);
  const schema = GATEWAY_SCHEMAS[name] ?? z.unknown();
  const mayAnswer = type === 'message.received';
  return {
    operationId: name,
    summary: type,
    description: schema.description ?? '',
    requestBody: { required: true, content: content(name, examplesOf(pages, `event: ${type}`, schema)) },
    responses: {
      '2XX': {
        description: 'Accepted. Any other answer: the event is sent again.',
        ...(mayAnswer
          ? { content: content('WebhookAnswer', examplesOf(pages, 'webhook answer', webhookAnswerSchema)) }
          : {}),
      },
    },
  };
}

function queryParameters(query: z.ZodObject): JsonSchema[] {
  const { properties = {} } = z.toJSONSchema(query, { io: 'output', override: tidy });
  return Object.entries(properties).map(([name, given]) => {
    const { description, ...schema } = typeof given === 'object' ? given : {};
    return {
      name,
      in: 'query',
      required: false,
      ...(description === undefined ? {} : { description }),
      schema,
    };
  });
}

function schemas(): Record<string, JsonSchema> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(GATEWAY_SCHEMAS)) registry.add(schema, { id });
  const made = z.toJSONSchema(registry, { io: 'input', uri: place, override: tidy });
  const all = Object.entries(made.schemas).map(([name, schema]): [string, JsonSchema] => {
    const { $schema: _dialect, $id: _place, ...rest } = schema as JsonSchema;
    return [name, rest];
  });
  const events = EVENTS.map(([type]) => ({ $ref: place(eventName(type)) }));
  return { ...Object.fromEntries(all), GatewayEvent: { description: 'Any event.', anyOf: events } };
}

function nameOf(schema: z.ZodType): string {
  const found = Object.entries(GATEWAY_SCHEMAS).find(([, one]) => one === schema);
  if (found === undefined) throw new Error('a body of the API has no name');
  return found[0];
}

function content(name: string, examples: readonly unknown[]): JsonSchema {
  const shown = Object.fromEntries(examples.map((value, index) => [`example${index + 1}`, { value }]));
  return {
    'application/json': {
      schema: { $ref: place(name) },
      ...(examples.length === 0 ? {} : { examples: shown }),
    },
  };
}

/** The examples of the pages with this marker, in their form. */
function examplesOf(pages: readonly string[], marker: string, schema: z.ZodType): unknown[] {
  return pages
    .flatMap(examplesIn)
    .filter((example) => example.marker === marker)
    .map(({ json }): unknown => JSON.parse(json))
    .filter((value) => schema.safeParse(value).success);
}
