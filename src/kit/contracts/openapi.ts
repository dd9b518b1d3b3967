import { packageVersion } from '../../system/version.js';
import { type Caller, ENDPOINTS, type EndpointContract } from './endpoints.js';
import type { PageExamples } from './examples.js';
import { type JsonSchema, jsonSchemas } from './jsonSchemas.js';

const INTRODUCTION = `The HTTP side of a backend of edge-agent. docs/protocol.md says what the agent does with each answer;
\`edge-agent dev-backend\` is a backend that does all of this, and docs/backend.md leads through its source.`;

/** What each refusal means here. */
const REFUSALS: Readonly<Record<number, string>> = {
  400: 'The body is invalid. A message is then set aside, not sent again.',
  401: 'No credentials.',
  403: 'Wrong credentials.',
  404: 'No such endpoint.',
  405: 'Wrong method.',
  409: 'You have it already: the same as 200. A message needs no further answer.',
  413: 'The body is too large. A message is then set aside.',
  415: 'The body has another type. A message is then set aside.',
  422: 'The content of the body is unusable. A message is then set aside.',
  426: 'This is a WebSocket.',
  429: 'Too many requests: retry after Retry-After.',
  500: 'The backend failed; nothing is stored. The agent retries.',
  501: 'Not supported.',
  503: 'There is no answer yet. The agent retries.',
};

const SECURITY: Readonly<Record<Caller, readonly JsonSchema[]>> = {
  agent: [{ agentToken: [] }],
  operator: [{ adminKey: [] }, { adminBearer: [] }],
  anybody: [],
  newcomer: [{ agentToken: [] }, {}],
};

const place = (name: string) => `#/components/schemas/${name}`;

/** The HTTP side of a backend as an OpenAPI 3.1 document. */
export function openapi(examples: PageExamples): JsonSchema {
  const paths: Record<string, JsonSchema> = {};
  for (const endpoint of ENDPOINTS) {
    paths[endpoint.path] = { ...paths[endpoint.path], [endpoint.method]: operation(endpoint, examples) };
  }
  paths['/edge/ws'] = { get: socketOperation() };
  return {
    openapi: '3.1.0',
    info: {
      title: 'A backend of edge-agent: HTTP',
      version: packageVersion(),
      description: INTRODUCTION,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: 'http://127.0.0.1:8787', description: 'edge-agent dev-backend' }],
    paths,
    components: {
      securitySchemes: {
        agentToken: {
          type: 'http',
          scheme: 'bearer',
          description:
            'base64(signed ":" hex(hmac_sha256(secret, signed))), where signed = <agent id> ":" <user phone> ":" ' +
            '<Unix seconds>; or, while developing, the secret itself.',
        },
        adminKey: { type: 'apiKey', in: 'header', name: 'X-Admin-Key' },
        adminBearer: { type: 'http', scheme: 'bearer', description: 'The admin key.' },
      },
      parameters: {
        AgentId: header(
          'X-Edge-Agent-Id',
          'The agent that sends the request, and whose socket gets the reflex.',
        ),
        Protocol: header('X-Edge-Protocol', 'The version of the protocol: 1.', { const: '1' }),
        IdempotencyKey: header('Idempotency-Key', 'The guid again, URL-encoded.'),
      },
      responses: Object.fromEntries(
        Object.entries(REFUSALS).map(([code, description]) => [
          `Refused${code}`,
          {
            description,
            ...(code === '429'
              ? { headers: { 'Retry-After': { description: 'In seconds.', schema: { type: 'string' } } } }
              : {}),
            content: json('Refusal', examples.of(`refusal: ${code}`, 'Refusal')),
          },
        ]),
      ),
      schemas: jsonSchemas(place),
    },
  };
}

function operation(endpoint: EndpointContract, examples: PageExamples): JsonSchema {
  const { path, request, caller } = endpoint;
  const ofAgent = caller === 'agent' || caller === 'newcomer';
  const parameters = [
    ...(ofAgent ? ['AgentId', 'Protocol'] : []),
    ...(request?.idempotent === undefined ? [] : ['IdempotencyKey']),
  ];
  return {
    operationId: endpoint.id,
    summary: endpoint.summary,
    description: endpoint.description,
    tags: [ofAgent ? 'for agents' : 'for operators'],
    security: SECURITY[caller],
    ...(parameters.length === 0
      ? {}
      : { parameters: parameters.map((name) => ({ $ref: `#/components/parameters/${name}` })) }),
    ...(request === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content:
              request.form === undefined
                ? json(request.name, examples.of(`request: ${like(path)}`, request.name))
                : form(request.name, examples.of(`form: ${path}`, request.name)),
          },
        }),
    responses: {
      200: {
        description: 'Done.',
        content: json(endpoint.reply, examples.of(`reply: ${like(path)}`, endpoint.reply)),
      },
      ...Object.fromEntries(
        endpoint.refusals.map((code) => [code, { $ref: `#/components/responses/Refused${code}` }]),
      ),
    },
  };
}

/** Endpoints with two names share the examples of the first. */
function like(path: string): string {
  const first: Readonly<Record<string, string>> = {
    '/edge/ack_command': '/edge/command/ack',
    '/edge/health': '/health',
  };
  return first[path] ?? path;
}

function socketOperation(): JsonSchema {
  return {
    operationId: 'socket',
    summary: 'The WebSocket',
    description:
      'Its frames and close codes: asyncapi.yaml. Wrong credentials may be refused with 401 and 403 here, or after the upgrade with the ' +
      'close codes 4001 and 1008.',
    tags: ['for agents'],
    security: SECURITY.agent,
    parameters: [
      {
        name: 'edge_agent_id',
        in: 'query',
        required: true,
        description: 'The same as X-Edge-Agent-Id.',
        schema: { type: 'string' },
      },
      { $ref: '#/components/parameters/AgentId' },
      { $ref: '#/components/parameters/Protocol' },
    ],
    responses: {
      101: { description: 'Upgraded.' },
      401: { $ref: '#/components/responses/Refused401' },
      403: { $ref: '#/components/responses/Refused403' },
      404: { $ref: '#/components/responses/Refused404' },
      426: { $ref: '#/components/responses/Refused426' },
      429: { $ref: '#/components/responses/Refused429' },
    },
  };
}

function header(name: string, description: string, more: JsonSchema = {}): JsonSchema {
  return { name, in: 'header', required: false, description, schema: { type: 'string', ...more } };
}

function json(name: string, values: readonly unknown[]): JsonSchema {
  return { 'application/json': { schema: { $ref: place(name) }, ...numbered(values) } };
}

function form(name: string, values: readonly unknown[]): JsonSchema {
  const file = { type: 'object', required: ['file'], properties: { file: { contentMediaType: 'image/*' } } };
  return {
    'multipart/form-data': { schema: { allOf: [{ $ref: place(name) }, file] }, ...numbered(values) },
  };
}

function numbered(values: readonly unknown[]): JsonSchema {
  if (values.length === 0) return {};
  return {
    examples: Object.fromEntries(values.map((value, index) => [`example${index + 1}`, { value }])),
  };
}
