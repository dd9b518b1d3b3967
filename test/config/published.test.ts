import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { configurationPage } from '../../src/config/configurationPage.js';
import { configJsonSchema } from '../../src/config/jsonSchema.js';
import { checkSetting, SETTINGS } from '../../src/config/settings.js';

const read = (name: string) => readFileSync(join(import.meta.dirname, '../..', name), 'utf8');
const shipped = read('config.yaml');
const ajv = new Ajv({ strict: true, allowUnionTypes: true, keywords: ['x-env', 'x-restart', 'x-backend'] });
const fits = ajv.compile(configJsonSchema());

describe('what is published of the configuration', () => {
  test('is up to date: else run npm run docs', () => {
    expect(read('docs/configuration.md')).toBe(configurationPage());
    expect(JSON.parse(read('docs/config.schema.json'))).toEqual(configJsonSchema());
  });

  test('config.yaml names the schema by a path that leads to it', () => {
    const [, path = ''] = /^# yaml-language-server: \$schema=(\S+)$/m.exec(shipped) ?? [];
    expect(JSON.parse(read(path))).toEqual(configJsonSchema());
    expect(JSON.parse(read('package.json'))).toMatchObject({
      files: expect.arrayContaining(['docs', 'config.yaml']),
    });
  });
});

describe('the JSON Schema', () => {
  test('accepts the config.yaml that ships, with its comments switched on too', () => {
    const all = shipped.replace(/^ {2}# ([a-z_]+): ?(.*)$/gm, '  $1: $2');
    for (const text of [shipped, all]) expect(fits(parse(text)), JSON.stringify(fits.errors)).toBe(true);
    expect(Object.keys(parse(all) as object)).toEqual(Object.keys(configJsonSchema().properties as object));
  });

  test.each([
    ['an unknown section', { bakcend: {} }],
    ['an unknown key', { backend: { ulr: 'https://backend.example.com' } }],
    ['a value in the place of a section', { backend: 'https://backend.example.com' }],
    ['a section in the place of a value', { backend: { url: { of: 'it' } } }],
    ['a list of sections', [{ backend: {} }]],
    ['a number beyond its range', { websocket: { ping_interval_seconds: 301 } }],
    ['a fraction for an integer', { outgoing: { bubble_delay_ms: 1.5 } }],
    ['a number in quotes', { backend: { sync_interval_seconds: '15' } }],
    ['an invalid choice', { logging: { level: 'loud' } }],
    ['an invalid phone number', { edge: { user_phone: '555-0100' } }],
    ['a list with an item of another type', { forward: { allow: [{}] } }],
    ['an unencrypted heartbeat over the network', { health: { heartbeat_url: 'http://example.com/x' } }],
  ])('refuses %s', (_, config) => {
    expect(fits(config)).toBe(false);
  });

  test('judges single values as the loader does', () => {
    const values = [
      '',
      'text',
      '~x',
      '+13105550100',
      'https://a.example',
      0,
      1,
      1.5,
      -1,
      1e9,
      true,
      [],
      ['a b'],
      ['phone'],
      {},
    ];
    const judgedElsewhere = new Set(['backend.url', 'backend.websocket_url']);
    for (const setting of SETTINGS.filter(({ key }) => !judgedElsewhere.has(key))) {
      for (const value of values) {
        const config = { [setting.section]: { [setting.name]: value } };
        expect([setting.key, value, fits(config)]).toEqual([
          setting.key,
          value,
          checkSetting(setting, value).kind === 'fits',
        ]);
      }
    }
  });

  test('says of each setting whether a change needs a restart', () => {
    const sections = configJsonSchema().properties as Record<string, { properties: Record<string, object> }>;
    expect(sections.logging?.properties.level).toMatchObject({ 'x-restart': false, 'x-backend': true });
    expect(sections.state?.properties.directory).toMatchObject({
      'x-restart': true,
      'x-env': 'EDGE_STATE_DIRECTORY',
    });
    for (const { section, name, description } of SETTINGS) {
      expect(sections[section]?.properties[name]).toMatchObject({
        description: expect.stringContaining(description),
      });
    }
  });
});
