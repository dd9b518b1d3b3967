import { asyncapi } from './asyncapi.js';
import { PageExamples } from './examples.js';
import { gatewayOpenapi } from './gatewayOpenapi.js';
import { type JsonSchema, jsonSchemas } from './jsonSchemas.js';
import { openapi } from './openapi.js';

/** The pages whose examples the contracts show, from the root of the project. */
export const PAGES = ['docs/protocol.md', 'docs/backend.md', 'docs/gateway-api.md'];

/** Where the contracts are, from the root of the project. */
export const DIRECTORY = 'docs/api';

/** Every file of the contracts by its path below the directory, made of the code and of the examples of the pages. */
export function contractFiles(pages: readonly string[]): Record<string, JsonSchema> {
  const examples = new PageExamples(pages);
  const place = (name: string) => `${name}.json`;
  const schemas = Object.entries(jsonSchemas(place)).map(([name, schema]): [string, JsonSchema] => [
    `schemas/${place(name)}`,
    { $schema: 'https://json-schema.org/draft/2020-12/schema', title: name, ...schema },
  ]);
  return {
    'openapi.yaml': openapi(examples),
    'gateway.yaml': gatewayOpenapi(pages),
    'asyncapi.yaml': asyncapi(examples),
    ...Object.fromEntries(schemas),
  };
}
