import { z } from 'zod';
import { configSchema } from './schema.js';
import { SETTINGS, type Setting } from './settings.js';

/**
 * The JSON Schema (draft 7) of config.yaml, from the one schema: for editors and other tools. It is published as
 * docs/config.schema.json. Nothing is required, because each setting may be in the environment instead, and each key
 * may have no value. Besides the usual keywords each setting has `x-env` (its variable), `x-restart` (whether a change
 * takes effect only at the next start) and `x-backend` (whether the backend may change it).
 */
export function configJsonSchema(): Record<string, unknown> {
  const properties: Record<string, unknown> = {};
  for (const section of Object.keys(configSchema.shape)) {
    const settings = SETTINGS.filter((setting) => setting.section === section);
    properties[section] = {
      type: ['object', 'null'],
      additionalProperties: false,
      properties: Object.fromEntries(settings.map((setting) => [setting.name, settingSchema(setting)])),
    };
  }
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'The configuration of edge-agent',
    type: 'object',
    additionalProperties: false,
    properties,
  };
}

function settingSchema(setting: Setting): Record<string, unknown> {
  const { $schema: _, ...schema } = z.toJSONSchema(setting.schema, {
    target: 'draft-7',
    io: 'input',
    unrepresentable: 'any',
  });
  return {
    ...orNull(schema),
    description: `${setting.description} ${capitalised(setting.expected)}.`,
    'x-env': setting.variables[0],
    'x-restart': setting.reload !== true,
    'x-backend': setting.remote === true,
  };
}

function orNull(schema: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { type, enum: options } = schema;
  return {
    ...schema,
    ...(typeof type === 'string' ? { type: [type, 'null'] } : {}),
    ...(Array.isArray(options) ? { enum: [...(options as unknown[]), null] } : {}),
  };
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
