import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseDotenv } from '../../src/config/dotenv.js';
import { SECRET_VARIABLES } from '../../src/config/secrets.js';
import { configDocumentation, SETTINGS, type Setting } from '../../src/config/settings.js';
import { certificate } from '../support/certificate.js';
import { REQUIRED, Sandbox } from './sandbox.js';

const read = (name: string) => readFileSync(join(import.meta.dirname, '../..', name), 'utf8');
const shipped = read('config.yaml');
/** With every commented-out setting switched on; prose has no `key:` of two spaces' depth with a lower-case name. */
const switchedOn = shipped.replace(/^ {2}# ([a-z_]+): ?(.*)$/gm, '  $1: $2');
const optional = SETTINGS.filter(
  (setting) => setting.default === undefined && setting.derived === undefined && !setting.required,
);

test('the config.yaml that ships loads without a mistake or warning', () => {
  const { warnings, sources } = new Sandbox().loadYaml(shipped);
  expect(warnings).toEqual([]);
  expect(Object.keys(sources).filter((key) => sources[key] === 'file')).toEqual([
    'edge.user_phone',
    'backend.url',
  ]);
});

test('it has every setting, and the defaults written in it are those of the schema', () => {
  const box = new Sandbox();
  box.write('work/ca.pem', certificate().cert);
  const written = box.loadYaml(switchedOn, { platform: 'darwin' });
  expect(Object.entries(written.sources).filter(([, source]) => source !== 'file')).toEqual([]);
  const defaults = new Sandbox().load({ env: REQUIRED, platform: 'darwin', homeDir: box.home }).config;
  for (const { section, name, key } of SETTINGS) {
    const value = (config: object) => (config as Record<string, Record<string, unknown>>)[section]?.[name];
    if (optional.some((setting) => setting.key === key)) expect(value(defaults), key).toBeUndefined();
    else expect(value(written.config), key).toEqual(value(defaults));
  }
});

test.each([
  ['[backend]', 'the backend may change', (setting: Setting) => setting.remote === true],
  ['[restart]', 'take effect at the next start only', (setting: Setting) => setting.reload !== true],
])('%s marks exactly the settings that %s', (mark, _, belongs) => {
  const marked = shipped
    .split(/\n\n|\n(?=[a-z])/)
    .filter((block) => block.includes(mark) && !block.includes('# The agent reads'))
    .map((block) => / {2}(?:# )?([a-z_]+):.*$/.exec(block.trimEnd().split('\n').at(-1) ?? '')?.[1]);
  const expected = SETTINGS.filter(belongs).map((setting) => setting.name);
  expect(marked.toSorted()).toEqual(expected.toSorted());
});

test('.env.example names every secret, sets none and has no broken line', () => {
  const text = read('.env.example');
  for (const { variable } of SECRET_VARIABLES) expect(text).toMatch(new RegExp(`^(?:# )?${variable}=$`, 'm'));
  expect(parseDotenv(text)).toEqual({
    entries: new Map([['EDGE_SECRET', expect.objectContaining({ value: '' })]]),
    problems: [],
  });
});

test('the documentation comes complete from the schema', () => {
  const rows = configDocumentation();
  const find = (key: string) => rows.find((row) => row.key === key);
  expect(find('backend.sync_interval_seconds')).toEqual({
    key: 'backend.sync_interval_seconds',
    env: 'EDGE_BACKEND_SYNC_INTERVAL_SECONDS',
    default: 15,
    type: 'number of seconds from 1 to 3600',
    description: expect.stringContaining('WebSocket is down'),
    derived: false,
    required: false,
    remote: true,
    reload: true,
  });
  expect(rows.filter((row) => row.required).map((row) => row.env)).toEqual(['USER_PHONE', 'BACKEND_URL']);
  expect(find('backend.websocket_url')).toMatchObject({ env: 'BACKEND_WS_URL', default: null });
  expect(find('logging.file')?.default).toBe('edge-agent.log in state.directory');
  expect(new Set(rows.map((row) => row.env)).size).toBe(rows.length);
  for (const row of rows) {
    expect(row.description, row.key).toMatch(/\.$/);
    expect(row.type, row.key).not.toBe('text');
    if (row.remote) expect(row.reload, row.key).toBe(true);
  }
});

test('what the backend may change is only intervals, ages, the pause and the log level', () => {
  expect(SETTINGS.filter((setting) => setting.remote).map((setting) => setting.key)).toEqual([
    'backend.sync_interval_seconds',
    'backend.safety_sync_seconds',
    'websocket.ping_interval_seconds',
    'imessage.max_message_age_seconds',
    'outgoing.bubble_delay_ms',
    'commands.max_age_seconds',
    'commands.reflex_max_age_seconds',
    'logging.level',
  ]);
});
