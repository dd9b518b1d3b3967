import { z } from 'zod';
import type { Aliases } from '../../commands/Handler.js';
import { sendSchema } from '../../gateway/agents/endpoints/sendMessage.js';
import * as agent from '../../model/agentBodies.js';
import * as backend from '../../model/backendBodies.js';
import { clientFrameSchema } from '../../model/clientFrames.js';
import * as monitor from '../../model/monitorFrames.js';
import { statusSchema } from '../../model/status.js';
import { COMMANDS } from './commands.js';

export type JsonSchema = Record<string, unknown>;

const [clientPing, clientPong, clientPresence, clientSubscribe, clientRequest] = clientFrameSchema.options;

/** Everything on the wire by its name in the contracts. */
const WORDS: Readonly<Record<string, z.ZodType>> = {
  AgentPing: agent.pingSchema,
  AgentPong: agent.pongSchema,
  CommandAckFrame: agent.ackFrameSchema,
  EventFrame: agent.eventFrameSchema,
  StatusFrame: agent.statusFrameSchema,
  Ack: agent.ackSchema,
  Event: agent.eventSchema,
  Status: statusSchema,
  RegisterRequest: agent.registerSchema,
  SyncRequest: agent.syncSchema,
  MessageRequest: agent.messageSchema,
  PhotoFields: agent.photoSchema,
  BackendPing: backend.pingSchema,
  BackendPong: backend.pongSchema,
  CommandFrame: backend.commandFrameSchema,
  ConnectedFrame: backend.connectedSchema,
  ConfigUpdateFrame: backend.configUpdateSchema,
  NotificationFrame: backend.notificationSchema,
  AuthFrame: backend.authSchema,
  ErrorFrame: backend.errorFrameSchema,
  Command: backend.commandSchema,
  RegisterReply: backend.registerReplySchema,
  SyncReply: backend.syncReplySchema,
  MessageReply: backend.messageReplySchema,
  AckReply: backend.ackReplySchema,
  PhotoReply: backend.photoReplySchema,
  SendRequest: sendSchema,
  SendReply: backend.sendReplySchema,
  Stats: backend.statsSchema,
  Health: backend.healthSchema,
  Refusal: backend.refusalSchema,
  MonitorAuth: monitor.authSchema,
  MonitorServerPing: monitor.pingSchema,
  MonitorServerPong: monitor.pongSchema,
  MonitorAgentStatus: monitor.agentStatusSchema,
  MonitorChatMessage: monitor.chatMessageSchema,
  MonitorNotification: monitor.notificationSchema,
  MonitorPresenceTold: monitor.presenceSchema,
  MonitorError: monitor.errorSchema,
  MonitorSnapshot: monitor.snapshotSchema,
  MonitorEvent: monitor.eventSchema,
  MonitorResponse: monitor.responseSchema,
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
      description: 'A text that an agent sends, now or at send_at.',
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

/** Leaves out unneeded additions of zod. */
export function tidy({ jsonSchema }: { jsonSchema: JsonSchema }): void {
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  if (jsonSchema.format === 'date-time') delete jsonSchema.pattern;
  delete jsonSchema.propertyNames;
  const { additionalProperties } = jsonSchema;
  if (typeof additionalProperties === 'object' && Object.keys(Object(additionalProperties)).length === 0) {
    delete jsonSchema.additionalProperties;
  }
}

/** The schema of a payload with the other names that its fields may have; a field that is required may come under any. */
function withAliases(payload: JsonSchema, aliases: Aliases): JsonSchema {
  if (Array.isArray(payload.anyOf)) {
    return { ...payload, anyOf: (payload.anyOf as JsonSchema[]).map((one) => withAliases(one, aliases)) };
  }
  const properties = { ...(payload.properties as Record<string, JsonSchema> | undefined) };
  let required = [...((payload.required as string[] | undefined) ?? [])];
  const oneOfTheNames: JsonSchema[] = [];
  for (const [field, others] of Object.entries(aliases)) {
    const own = properties[field];
    if (own === undefined) continue;
    for (const other of others) properties[other] = { ...own, description: `Another name of ${field}.` };
    if (!required.includes(field)) continue;
    required = required.filter((name) => name !== field);
    oneOfTheNames.push({ anyOf: [field, ...others].map((name) => ({ required: [name] })) });
  }
  const { required: _, ...rest } = payload;
  return {
    ...rest,
    ...(payload.properties === undefined ? {} : { properties }),
    ...(required.length === 0 ? {} : { required }),
    ...(oneOfTheNames.length === 0 ? {} : { allOf: oneOfTheNames }),
  };
}
