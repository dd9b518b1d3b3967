import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { setSetting } from '../../../src/cli/config/setSetting.js';
import { writeSetup } from '../../../src/cli/config/setup.js';
import type { Questions } from '../../../src/cli/config/setupQuestions.js';
import { yamlWith } from '../../../src/config/editYaml.js';
import { SETTINGS } from '../../../src/config/settings.js';
import { temporaryDirectory } from '../../support/temporaryStore.js';

const shipped = readFileSync(new URL('../../../config.yaml', import.meta.url), 'utf8');
const FLAGS = { yes: true, force: true, install: false };
const ASKED = ['backend.url', 'edge.user_phone'];

/** A configuration that is in force, with its secret. */
function place(config: string) {
  const directory = join(temporaryDirectory(), 'edge-agent');
  mkdirSync(directory);
  const path = join(directory, 'config.yaml');
  writeFileSync(path, config, { mode: 0o600 });
  writeFileSync(join(directory, '.env'), 'EDGE_SECRET=mine\n', { mode: 0o600 });
  const copies = () => readdirSync(directory).filter((name) => name.startsWith('config.yaml.bak-'));
  return { directory, path, copies, now: () => readFileSync(path, 'utf8') };
}

function settings(text: string): [string, unknown][] {
  const sections = (parse(text) ?? {}) as Record<string, Record<string, unknown> | null>;
  return Object.entries(sections).flatMap(([section, values]) =>
    Object.entries(values ?? {}).map(([name, value]): [string, unknown] => [`${section}.${name}`, value]),
  );
}

const others = (text: string) => settings(text).filter(([key]) => !ASKED.includes(key));
const comments = (text: string) => text.split('\n').filter((line) => line.trim().startsWith('#'));

test('setup leaves every other setting and comment as it was, and keeps the previous file', async () => {
  const key = fc.constantFrom(...SETTINGS.map((setting) => setting.key));
  const value = fc.oneof(
    fc.nat(99),
    fc.boolean(),
    fc.string({ maxLength: 9 }),
    fc.array(fc.string({ maxLength: 5 })),
  );
  const before = fc
    .uniqueArray(fc.tuple(key, value), { selector: ([name]) => name, maxLength: 6 })
    .map((changes) => yamlWith(shipped, new Map(changes)));
  const digits = fc.integer({ min: 2_000_000_000, max: 9_999_999_999 });
  await fc.assert(
    fc.asyncProperty(before, digits, async (text, number) => {
      const there = place(text);
      const given = { backendUrl: `https://b${number}.example.com`, userPhone: `+1${number}` };
      expect(await writeSetup(there.path, given, FLAGS, undefined)).toBe('written');
      const after = there.now();
      expect(others(after)).toEqual(others(text));
      expect(comments(after)).toEqual(comments(text));
      expect(Object.fromEntries(settings(after))).toMatchObject({
        'backend.url': given.backendUrl,
        'edge.user_phone': given.userPhone,
      });
      const [copy = ''] = there.copies();
      expect(readFileSync(join(there.directory, copy), 'utf8')).toBe(text);
      expect(statSync(join(there.directory, copy)).mode & 0o777).toBe(0o600);
    }),
    { numRuns: 25 },
  );
});

const MINE =
  'edge: { user_phone: "+13105550111" } # mine\nbackend:\n  url: https://mine.example.com\nprivacy:\n  redact: [phone]\n';

/** Takes what is offered. */
function agreeing(offers: (string | undefined)[], mayChange = true): Questions {
  const taken = (usual: string | undefined) => {
    offers.push(usual);
    return Promise.resolve(usual ?? '');
  };
  return {
    backendUrl: taken,
    userPhone: taken,
    secret: () => Promise.reject(new Error('asked for the secret')),
    inKeychain: () => Promise.resolve(false),
    mayReplace: () => Promise.resolve(false),
    mayChange: () => Promise.resolve(mayChange),
    install: () => Promise.resolve(false),
  };
}

test('setup offers the current values, and accepting them changes nothing', async () => {
  const there = place(MINE);
  const offers: (string | undefined)[] = [];
  expect(await writeSetup(there.path, {}, { ...FLAGS, yes: false, force: false }, agreeing(offers))).toBe(
    'written',
  );
  expect(offers).toEqual(['https://mine.example.com', '+13105550111']);
  expect(there.now()).toBe(MINE);
  expect(there.copies()).toEqual([]);
});

test('setup changes nothing if the user, who saw what changes, declines', async () => {
  const there = place(MINE);
  const given = { backendUrl: 'https://other.example.com' };
  const flags = { ...FLAGS, yes: false, force: false };
  expect(await writeSetup(there.path, given, flags, agreeing([], false))).toBe('declined');
  expect(there.now()).toBe(MINE);
});

test('setup in a script changes existing settings only with --force, and the privacy filter not even then', async () => {
  const there = place(MINE);
  const given = { backendUrl: 'https://other.example.com' };
  const refused = await writeSetup(there.path, given, { ...FLAGS, force: false }, undefined);
  expect(refused).toEqual({ wrong: expect.stringContaining('--force') });
  expect(there.now()).toBe(MINE);
  expect(await writeSetup(there.path, given, FLAGS, undefined)).toBe('written');
  expect(there.now()).toBe(MINE.replace('mine.example', 'other.example'));
});

test('setup does not replace a file that is no YAML: its contents would be lost', async () => {
  const there = place('privacy: {\n');
  const given = { backendUrl: 'https://other.example.com', userPhone: '+13105550111' };
  await expect(writeSetup(there.path, given, FLAGS, undefined)).rejects.toThrow('Nothing was changed');
  expect(there.now()).toBe('privacy: {\n');
});

test('config set changes one setting, keeps the previous file, and refuses what a start would refuse', async () => {
  const there = place(MINE);
  const options = { configPath: there.path };
  expect(await setSetting(options, 'outgoing.max_per_minute', '7')).toBe(0);
  expect(there.now()).toBe(`${MINE}outgoing:\n  max_per_minute: 7\n`);
  expect(there.copies()).toHaveLength(1);
  expect(await setSetting(options, 'outgoing.max_per_minute', '7')).toBe(0);
  expect(there.copies()).toHaveLength(1);
  expect(await setSetting(options, 'outgoing.max_per_minute', 'many')).toBe(2);
  expect(await setSetting(options, 'outgoing.max_per_minutes', '7')).toBe(2);
  expect(await setSetting(options, 'forward.ignore', '+13105550122, jane@example.com')).toBe(0);
  expect(parse(there.now()).forward).toEqual({ ignore: ['+13105550122', 'jane@example.com'] });
  expect(there.now()).toContain(MINE);
  expect(existsSync(`${there.path}.new`)).toBe(false);
});
