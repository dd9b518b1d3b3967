import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { STATE_DIRECTORY_VARIABLE } from '../../src/config/places.js';
import { SETTINGS_BY_KEY } from '../../src/config/settings.js';
import { findStateDirectory } from '../../src/config/stateDirectory.js';
import { MINIMAL, REQUIRED, Sandbox } from './sandbox.js';

test('the variable is the one of the schema', () => {
  expect(SETTINGS_BY_KEY.get('state.directory')?.variables).toEqual([STATE_DIRECTORY_VARIABLE]);
});

test('it is the one of the full configuration, wherever that is set', async () => {
  const value = fc.option(fc.constantFrom('~/s', 'rel/s', '/abs/s', '~', '../up', ' padded '), {
    nil: undefined,
  });
  const shape = fc.constantFrom(
    (path: string) => `state:\n  directory: ${JSON.stringify(path)}\n`,
    (path: string) => `"st\\u0061te": {"d\\u0069rectory": ${JSON.stringify(path)}}\n`,
    (path: string) => `state: # directory: /comment\n  directory: &d ${JSON.stringify(path)}\n`,
    (path: string) => `# directory: ${path}\nstate:\n`,
  );
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        env: value,
        dotenv: value,
        file: value,
        shape,
        platform: fc.constantFrom('darwin', 'linux'),
      }),
      async ({ env, dotenv, file, shape, platform }) => {
        const box = new Sandbox();
        const configPath = box.write('etc/c.yaml', `${MINIMAL}${file === undefined ? '' : shape(file)}`);
        if (dotenv !== undefined) box.write('etc/.env', `${STATE_DIRECTORY_VARIABLE}='${dotenv}'\n`);
        const variables = env === undefined ? {} : { [STATE_DIRECTORY_VARIABLE]: env };
        const places = box.places({ configPath, env: variables, platform: platform as NodeJS.Platform });
        expect(await findStateDirectory(places)).toBe(box.load(places).config.state.directory);
      },
    ),
    { numRuns: 60 },
  );
});

test('mistakes elsewhere do not matter, one in the value does', async () => {
  const box = new Sandbox();
  box.write('work/config.yaml', 'nonsense: 1\nstate: { directory: /var/agent }\n');
  expect(await findStateDirectory(box.places())).toBe('/var/agent');
  for (const broken of [
    'state: { directory: "~other/x" }',
    'state: { directory: [a] }',
    'state: { directory: ',
  ]) {
    box.write('work/config.yaml', broken);
    await expect(findStateDirectory(box.places())).rejects.toMatchObject({
      code: 'config_invalid',
      remedy: expect.stringContaining('edge-agent config check'),
    });
  }
});

test('a named file that is missing is an error', async () => {
  const places = new Sandbox().places({ configPath: 'nowhere.yaml', env: REQUIRED });
  await expect(findStateDirectory(places)).rejects.toMatchObject({ code: 'config_unreadable' });
});

test('nothing on its path imports the schema, and the YAML parser only when a file must be read', () => {
  const seen = new Set<string>();
  const packages = new Set<string>();
  const follow = (path: string) => {
    if (seen.has(path)) return;
    seen.add(path);
    for (const [, target = ''] of readFileSync(path, 'utf8').matchAll(
      /^(?:import|export)[^;]*? from '([^']+)'/gms,
    )) {
      if (target.startsWith('.')) follow(join(dirname(path), target.replace(/\.js$/, '.ts')));
      else packages.add(target);
    }
  };
  follow(join(import.meta.dirname, '../../src/config/stateDirectory.ts'));
  expect([...packages].filter((name) => !name.startsWith('node:'))).toEqual([]);
  const src = join(import.meta.dirname, '../../src');
  expect([...seen].map((path) => relative(src, path)).toSorted()).toEqual([
    'config/dotenv.ts',
    'config/places.ts',
    'config/stateDirectory.ts',
    'errors.ts',
    'model/errorCodes.ts',
    'system/inputLimits.ts',
    'system/missingFile.ts',
  ]);
});
