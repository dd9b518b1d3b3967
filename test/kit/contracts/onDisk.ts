import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { parse } from 'yaml';
import { DIRECTORY } from '../../../src/kit/contracts/contractFiles.js';
import { ROOT } from '../../docs/page.js';

export type Json = Record<string, unknown>;

/** Every file of the contracts as it lies on the disk, by its path. */
export function contractsOnDisk(): Record<string, Json> {
  const directory = join(ROOT, DIRECTORY);
  const paths = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((path) =>
    /\.(yaml|json)$/.test(path),
  );
  return Object.fromEntries(paths.map((path) => [path, parse(readFileSync(join(directory, path), 'utf8'))]));
}

/** What is wrong with a value by the schema file of that name; empty when nothing is. */
export class SchemaJudge {
  private readonly ajv = new Ajv2020({
    allErrors: true,
    strict: true,
    strictRequired: false,
    strictTypes: false,
  });

  constructor(files: Record<string, Json>) {
    formats.default(this.ajv);
    for (const [path, schema] of Object.entries(files)) {
      if (path.startsWith('schemas/')) this.ajv.addSchema(schema, path.slice('schemas/'.length));
    }
  }

  mistakes(name: string, value: unknown): string[] {
    const validate = this.ajv.getSchema(`${name}.json`);
    if (validate === undefined) throw new Error(`there is no schema ${name}`);
    if (validate(value) === true) return [];
    return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath}: ${message}`);
  }
}

/** The value at a reference of the form `#/a/b`. */
export function at(document: Json, reference: string): unknown {
  const keys = reference
    .slice(2)
    .split('/')
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
  return keys.reduce<unknown>((value, key) => (value as Json | undefined)?.[key], document);
}

/** Every `$ref` of a document. */
export function references(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === '$ref' && typeof inner === 'string' ? [inner] : references(inner),
  );
}
