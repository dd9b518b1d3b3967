import type { z } from 'zod';
import type { HandlerResult, ReceivedCommand } from '../model/command.js';
import { type Aliases, parsePayload } from './payload.js';

/**
 * What is done for one command type. `run` is called inside the write that stores the command and does nothing but
 * write to the store: command and effect are on the disk together or not at all.
 */
export interface Handler {
  /** The type and its aliases. */
  types: readonly string[];
  run(command: ReceivedCommand): HandlerResult;
}

/** A handler that sees only payloads which fit its schema; others fail with an ack that names the field. */
export function handlerOf<T>(definition: {
  types: readonly string[];
  aliases: Aliases;
  /** May depend on what the payload has. */
  schema: z.ZodType<T> | ((payload: Record<string, unknown>) => z.ZodType<T>);
  run(command: ReceivedCommand, payload: T): HandlerResult;
}): Handler {
  const { types, schema, aliases } = definition;
  return {
    types,
    run(command) {
      const fitting = typeof schema === 'function' ? schema(command.payload) : schema;
      const parsed = parsePayload(fitting, aliases, command.payload);
      if (parsed.kind === 'invalid')
        return { kind: 'failed', code: 'invalid_payload', message: parsed.message };
      return definition.run(command, parsed.payload);
    },
  };
}
