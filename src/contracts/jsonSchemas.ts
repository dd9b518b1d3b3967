import { z } from 'zod';
import { clientFrameSchema } from '../monitor/monitorFrames.js';
import { sendSchema } from '../simulator/backend/endpoints/sendMessage.js';
import * as backend from '../simulator/backend/words.js';
import * as agent from './agentWords.js';
import { COMMANDS, withAliases } from './commands.js';
import * as monitor from './monitorWords.js';

export type JsonSchema = Record<string, unknown>;

const [clientPing, clientPong, clientPresence, clientSubscribe, clientRequest] = clientFrameSchema.options;

/** Everything on the wire by its name in the contracts. */
const WORDS: Readonly<Record<string, z.ZodType>> = {
  AgentPing: agent.pingWords,
  AgentPong: agent.pongWords,
  CommandAckFrame: agent.ackFrameWords,
  EventFrame: agent.eventFrameWords,
  StatusFrame: agent.statusFrameWords,
  Ack: agent.ackWords,
  Event: agent.eventWords,
  Status: agent.statusWords,
  RegisterRequest: agent.registerWords,
  SyncRequest: agent.syncWords,
  MessageRequest: agent.messageWords,
  PhotoFields: agent.photoWords,
  BackendPing: backend.pingWords,
  BackendPong: backend.pongWords,
  CommandFrame: backend.commandFrameWords,
  ConnectedFrame: backend.connectedWords,
  ConfigUpdateFrame: backend.configUpdateWords,
  NotificationFrame: backend.notificationWords,
  AuthFrame: backend.authWords,
  ErrorFrame: backend.errorFrameWords,
  Command: backend.commandWords,
  RegisterReply: backend.registerReplyWords,
  SyncReply: backend.syncReplyWords,
  MessageReply: backend.messageReplyWords,
  AckReply: backend.ackReplyWords,
  PhotoReply: backend.photoReplyWords,
  SendRequest: sendSchema,
  SendReply: backend.sendReplyWords,
  Stats: backend.statsWords,
  Health: backend.healthWords,
  Refusal: backend.refusalWords,
  MonitorAuth: monitor.authWords,
  MonitorServerPing: monitor.pingWords,
  MonitorServerPong: monitor.pongWords,
  MonitorAgentStatus: monitor.agentStatusWords,
  MonitorChatMessage: monitor.chatMessageWords,
  MonitorNotification: monitor.notificationWords,
  MonitorPresenceTold: monitor.presenceWords,
  MonitorError: monitor.errorWords,
  MonitorSnapshot: monitor.snapshotWords,
  MonitorEvent: monitor.eventWords,
  MonitorResponse: monitor.responseWords,
  MonitorClientPing: clientPing,
  MonitorClientPong: clientPong,
  MonitorPresence: clientPresence,
  MonitorSubscribe: clientSubscribe,
  MonitorRequest: clientRequest,
};

/**
 * The JSON Schema (draft 2020-12, in words that draft-07 has too) of everything on the wire, made of the zod schemas of the
 * code. `place` says where the schema of a name is found, for references. Fields beyond those named are always allowed.
 */
export function jsonSchemas(place: (name: string) => string): Record<string, JsonSchema> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(WORDS)) registry.add(schema, { id });
  for (const [id, { schema }] of Object.entries(COMMANDS)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { io: 'input', uri: place, override: tidy });
  const named = Object.entries(schemas).map(([name, schema]): [string, JsonSchema] => {
    const { $schema: _dialect, $id: _place, ...rest } = schema as JsonSchema;
    const command = COMMANDS[name];
    return [name, command === undefined ? rest : withAliases(rest, command.aliases)];
  });
  const all = Object.fromEntries(named);
  return {
    ...all,
    Command: { ...all.Command, allOf: payloadByType(place) },
    SendRequest: {
      description: 'A text to be sent by an agent, now or at send_at.',
      ...all.SendRequest,
      anyOf: ['message', 'text', 'message_text'].map((name) => ({ required: [name] })),
    },
  };
}

/** Whether a value has the form of this name. */
export function fits(name: string, value: unknown): boolean {
  return WORDS[name]?.safeParse(value).success ?? false;
}

/** What is behind `payload` depends on `command_type`. */
function payloadByType(place: (name: string) => string): JsonSchema[] {
  return Object.entries(COMMANDS).map(([name, { types }]) => ({
    if: { properties: { command_type: { enum: [...types] } } },
    // biome-ignore lint/suspicious/noThenProperty: a word of JSON Schema
    then: { properties: { payload: { $ref: place(name) } } },
  }));
}

/** Leaves out what zod adds and nobody needs to be told. */
function tidy({ jsonSchema }: { jsonSchema: JsonSchema }): void {
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  if (jsonSchema.format === 'date-time') delete jsonSchema.pattern;
  delete jsonSchema.propertyNames;
  const { additionalProperties } = jsonSchema;
  if (typeof additionalProperties === 'object' && Object.keys(Object(additionalProperties)).length === 0) {
    delete jsonSchema.additionalProperties;
  }
}
