import { packageVersion } from '../../system/version.js';
import { EDGE_CLOSE_CODES, MONITOR_CLOSE_CODES } from './closeCodes.js';
import type { PageExamples } from './examples.js';
import { type JsonSchema, jsonSchemas } from './jsonSchemas.js';
import { monitorExamples } from './monitorExamples.js';

const INTRODUCTION = `The two WebSocket channels of edge-agent, from the agent's side: \`send\` is what it sends.
\`edge\` joins it to its backend: what each frame means and what the agent does with it is in docs/protocol.md.
\`monitor\` is served by the agent to its operators, on their own machine: docs/monitor.md.`;

/** The frames of the channel to the backend: name of the schema, and who says it. */
const EDGE = {
  send: ['AgentPing', 'AgentPong', 'CommandAckFrame', 'EventFrame', 'StatusFrame'],
  receive: [
    'ConnectedFrame',
    'BackendPong',
    'BackendPing',
    'CommandFrame',
    'ConfigUpdateFrame',
    'NotificationFrame',
    'AuthFrame',
    'ErrorFrame',
  ],
} as const;

const MONITOR = {
  send: [
    'MonitorAuth',
    'MonitorServerPing',
    'MonitorServerPong',
    'MonitorAgentStatus',
    'MonitorChatMessage',
    'MonitorNotification',
    'MonitorPresenceTold',
    'MonitorError',
    'MonitorSnapshot',
    'MonitorEvent',
    'MonitorResponse',
  ],
  receive: [
    'MonitorClientPing',
    'MonitorClientPong',
    'MonitorPresence',
    'MonitorSubscribe',
    'MonitorRequest',
  ],
} as const;

/** Both WebSocket channels as an AsyncAPI 3.0 document. */
export function asyncapi(examples: PageExamples): JsonSchema {
  const schemas = jsonSchemas((name) => `#/components/schemas/${name}`);
  const monitor = monitorExamples(examples);
  const edgeExamples = (name: string): unknown[] => {
    const says = (EDGE.send as readonly string[]).includes(name) ? 'edge→backend' : 'backend→edge';
    const framed = name === 'CommandFrame' ? examples.of('command', 'Command') : [];
    return [
      ...examples.of(`frame: ${says}`, name),
      ...framed.map((command) => ({ type: 'command', data: command })),
    ];
  };
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'edge-agent: WebSocket',
      version: packageVersion(),
      description: INTRODUCTION,
      license: { name: 'MIT' },
    },
    defaultContentType: 'application/json',
    servers: {
      backend: {
        host: '127.0.0.1:8787',
        protocol: 'ws',
        description: 'edge-agent dev-backend. A backend on another machine is reached by wss alone.',
        security: [{ $ref: '#/components/securitySchemes/agentToken' }],
      },
      agent: {
        host: '127.0.0.1:3100',
        protocol: 'ws',
        description: 'The agent itself, for its operators.',
        security: [{ $ref: '#/components/securitySchemes/operatorToken' }],
      },
    },
    channels: {
      edge: {
        address: '/edge/ws',
        title: 'To the backend',
        servers: [{ $ref: '#/servers/backend' }],
        messages: channelMessages([...EDGE.send, ...EDGE.receive]),
        // AsyncAPI has no keyword for these.
        'x-close-codes': EDGE_CLOSE_CODES,
        bindings: {
          ws: {
            bindingVersion: '0.1.0',
            query: {
              type: 'object',
              required: ['edge_agent_id'],
              properties: { edge_agent_id: { type: 'string' } },
            },
            headers: {
              type: 'object',
              required: ['Authorization', 'X-Edge-Agent-Id'],
              properties: {
                Authorization: { type: 'string', pattern: '^Bearer ' },
                'X-Edge-Agent-Id': { type: 'string' },
                'X-Edge-Protocol': { type: 'string', const: '1' },
              },
            },
          },
        },
      },
      monitor: {
        address: '/ws',
        title: 'To the operators',
        servers: [{ $ref: '#/servers/agent' }],
        messages: channelMessages([...MONITOR.send, ...MONITOR.receive]),
        'x-close-codes': MONITOR_CLOSE_CODES,
        bindings: {
          ws: {
            bindingVersion: '0.1.0',
            query: {
              type: 'object',
              properties: { token: { type: 'string', description: 'A JWT, HS256.' } },
            },
          },
        },
      },
    },
    operations: {
      ...operations('edge', EDGE, 'the backend'),
      ...operations('monitor', MONITOR, 'an operator'),
    },
    components: {
      securitySchemes: {
        agentToken: { type: 'http', scheme: 'bearer', description: 'As in openapi.yaml.' },
        operatorToken: { type: 'httpApiKey', in: 'query', name: 'token' },
      },
      messages: {
        ...messages([...EDGE.send, ...EDGE.receive], schemas, edgeExamples),
        ...messages([...MONITOR.send, ...MONITOR.receive], schemas, (name) => monitor[name] ?? []),
      },
      schemas,
    },
  };
}

function channelMessages(names: readonly string[]): JsonSchema {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/messages/${name}` }]));
}

function operations(
  channel: string,
  says: Readonly<Record<'send' | 'receive', readonly string[]>>,
  peer: string,
): JsonSchema {
  const operation = (action: 'send' | 'receive', title: string) => ({
    action,
    title,
    channel: { $ref: `#/channels/${channel}` },
    messages: says[action].map((name) => ({ $ref: `#/channels/${channel}/messages/${name}` })),
  });
  return {
    [`${channel}Send`]: operation('send', `What the agent sends to ${peer}`),
    [`${channel}Receive`]: operation('receive', `What ${peer} sends to the agent`),
  };
}

function messages(
  names: readonly string[],
  schemas: Readonly<Record<string, JsonSchema>>,
  examplesOf: (name: string) => readonly unknown[],
): JsonSchema {
  const described = names.map((name) => {
    const description = schemas[name]?.description;
    const examples = examplesOf(name).map((payload, index) => ({ name: `${name}${index + 1}`, payload }));
    return [
      name,
      {
        name: typeOf(schemas[name]),
        ...(description === undefined ? {} : { summary: description }),
        payload: { $ref: `#/components/schemas/${name}` },
        examples,
      },
    ];
  });
  return Object.fromEntries(described);
}

/** What a frame has under `type`. */
function typeOf(schema: JsonSchema | undefined): unknown {
  const { type } = (schema?.properties ?? {}) as { type?: { const?: unknown } };
  return type?.const;
}
