import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv } from 'ajv';
import formats from 'ajv-formats';
import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../../../src/kit/contracts/commands.js';
import { contractFiles, PAGES } from '../../../src/kit/contracts/contractFiles.js';
import { CommandRoom } from '../../docs/CommandRoom.js';
import { page, ROOT } from '../../docs/page.js';
import { at, contractsOnDisk, references, SchemaJudge } from './onDisk.js';

const require = createRequire(import.meta.url);
const files = contractsOnDisk();
const openapi = files['openapi.yaml'] ?? {};
const asyncapi = files['asyncapi.yaml'] ?? {};

test('the contracts are what the code and the pages make today: else npm run docs', () => {
  const made = JSON.parse(JSON.stringify(contractFiles(PAGES.map(page))));
  expect(Object.keys(files).toSorted()).toEqual(Object.keys(made).toSorted());
  for (const [path, content] of Object.entries(made)) expect(files[path], path).toEqual(content);
});

describe('the official validators', () => {
  test('find OpenAPI 3.1', async () => {
    const validator = new Validator();
    expect(await validator.validate(structuredClone(openapi))).toEqual({ valid: true });
    expect(validator.version).toBe('3.1');
  });

  test('find AsyncAPI 3.0', () => {
    // The file brings draft-07 itself.
    const ajv = new Ajv({ strict: false, allErrors: true, meta: false, validateSchema: false });
    formats.default(ajv);
    const schema = JSON.parse(readFileSync(require.resolve('@asyncapi/specs/schemas/3.0.0.json'), 'utf8'));
    const validate = ajv.compile(schema);
    validate(asyncapi);
    expect(validate.errors).toBeNull();
    expect(validate({ ...asyncapi, channels: { edge: { address: 7 } } })).toBe(false);
  });

  test('find JSON Schema 2020-12 in every file', () => {
    const judge = new SchemaJudge(files);
    for (const path of Object.keys(files).filter((one) => one.startsWith('schemas/')))
      expect(judge.mistakes(path.slice('schemas/'.length, -'.json'.length), 7), path).not.toEqual([]);
  });
});

test('every reference leads somewhere', () => {
  for (const [path, document] of Object.entries(files)) {
    const found = references(document);
    if (path.endsWith('.yaml')) {
      expect(found.length).toBeGreaterThan(50);
      for (const reference of found) expect(at(document, reference), reference).toBeDefined();
    } else {
      for (const reference of found) expect(Object.keys(files)).toContain(`schemas/${reference}`);
    }
  }
});

test('the package exports them, and the reference backend', () => {
  for (const path of ['openapi.yaml', 'asyncapi.yaml', 'schemas/CommandFrame.json'])
    expect(require.resolve(`edge-agent/${path}`)).toBe(join(ROOT, 'docs/api', path));
  const backend = require.resolve('edge-agent/dev-backend');
  expect(backend).toBe(join(ROOT, 'dist/kit/backend/index.js'));
  expect(existsSync(backend)).toBe(true);
});

test('every command type that the agent accepts has its schema', () => {
  const told = Object.values(COMMANDS).flatMap(({ types }) => types);
  expect(told.toSorted()).toEqual([...new CommandRoom().types].toSorted());
});
