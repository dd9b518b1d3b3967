import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { EdgeError } from '../../src/errors.js';
import { MINIMAL, REQUIRED, Sandbox } from './sandbox.js';

const phone = (last: number) =>
  `edge:\n  user_phone: "+1310555010${last}"\nbackend:\n  url: https://b.example\n`;

test('files are searched in the documented order, each before the next', () => {
  const box = new Sandbox();
  const usual = box.write('home/.config/edge-agent/config.yaml', phone(4));
  expect(box.load().path).toBe(usual);
  const local = box.write('work/config.yaml', phone(3));
  expect(box.load().path).toBe(local);
  const named = box.write('elsewhere/named.yaml', phone(2));
  expect(box.load({ env: { EDGE_AGENT_CONFIG: named } }).path).toBe(named);
  const flag = box.write('elsewhere/flag.yaml', phone(1));
  const loaded = box.load({ configPath: flag, env: { EDGE_AGENT_CONFIG: named } });
  expect(loaded.path).toBe(flag);
  expect(loaded.config.edge.user_phone).toBe('+13105550101');
});

test('macOS looks in Application Support and not in the XDG directory', () => {
  const box = new Sandbox();
  box.write('home/.config/edge-agent/config.yaml', phone(4));
  const usual = box.write('home/Library/Application Support/edge-agent/config.yaml', phone(5));
  expect(box.load({ platform: 'darwin' }).path).toBe(usual);
});

test('XDG_CONFIG_HOME moves the usual directory, unless it is relative', () => {
  const box = new Sandbox();
  const moved = box.write('xdg/edge-agent/config.yaml', phone(6));
  expect(box.load({ env: { XDG_CONFIG_HOME: join(box.root, 'xdg') } }).path).toBe(moved);
  expect(box.load({ env: { ...REQUIRED, XDG_CONFIG_HOME: '../xdg' } }).path).toBeNull();
});

test('a named file that is missing is an error even when a usual one exists', () => {
  const box = new Sandbox();
  box.write('work/config.yaml', MINIMAL);
  for (const places of [
    { configPath: 'nowhere.yaml' },
    { configPath: '' },
    { env: { EDGE_AGENT_CONFIG: '~/nowhere.yaml' } },
  ]) {
    expect(() => box.load(places)).toThrowError(expect.objectContaining({ code: 'config_unreadable' }));
  }
  expect(() => box.load({ configPath: 'nowhere.yaml' })).toThrowError(join(box.cwd, 'nowhere.yaml'));
});

test('a directory, a binary file and an unreadable .env are named, with a remedy', () => {
  const box = new Sandbox();
  const binary = box.write('latin1.yaml', Buffer.from([0x61, 0x3a, 0x20, 0xe9, 0x0a]));
  box.write('work2/.env/placeholder', '');
  for (const places of [{ configPath: box.home }, { configPath: binary }, { cwd: join(box.root, 'work2') }]) {
    let error: unknown;
    try {
      box.load(places);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(EdgeError);
    expect(error).toMatchObject({ code: 'config_unreadable', remedy: expect.stringMatching(/\w/) });
  }
});

test('no file at all is fine when the environment has what is required', () => {
  const loaded = new Sandbox().load({ env: REQUIRED });
  expect(loaded).toMatchObject({ path: null, warnings: [] });
  expect(loaded.config.backend.sync_interval_seconds).toBe(15);
  expect(loaded.sources['backend.url']).toBe('environment');
  expect(loaded.sources['backend.sync_interval_seconds']).toBe('default');
});

test('environment wins over .env, .env over the file, the file over the default', () => {
  const box = new Sandbox();
  const key = 'websocket.ping_interval_seconds';
  const withFile = `${MINIMAL}websocket:\n  ping_interval_seconds: 40\n`;
  const loaded = () => {
    const { config, sources } = box.loadYaml(withFile);
    return [config.websocket.ping_interval_seconds, sources[key]];
  };
  expect(loaded()).toEqual([40, 'file']);
  box.write('work/.env', 'EDGE_WEBSOCKET_PING_INTERVAL_SECONDS=50\n');
  expect(loaded()).toEqual([50, '.env']);
  const env = { EDGE_WEBSOCKET_PING_INTERVAL_SECONDS: '60' };
  expect(box.loadYaml(withFile, { env }).config.websocket.ping_interval_seconds).toBe(60);
  const empty = { EDGE_WEBSOCKET_PING_INTERVAL_SECONDS: '  ' };
  expect(box.loadYaml(withFile, { env: empty }).config.websocket.ping_interval_seconds).toBe(50);
});

test('the short variable wins over the long one, and either does', () => {
  const box = new Sandbox();
  const long = { USER_PHONE: '+13105550100', EDGE_BACKEND_URL: 'https://long.example' };
  expect(box.load({ env: long }).config.backend.url).toBe('https://long.example');
  const both = { ...long, BACKEND_URL: 'https://short.example' };
  expect(box.load({ env: both }).config.backend.url).toBe('https://short.example');
});

test('numbers, truth values and lists are read from variables', () => {
  const env = {
    ...REQUIRED,
    EDGE_EDGE_OWN_ADDRESSES: '+13105550101, me@example.com,',
    EDGE_WEBSOCKET_ENABLED: 'No',
    EDGE_AUTH_ALLOW_PLAIN_SECRET: '1',
    EDGE_OUTGOING_BUBBLE_DELAY_MS: ' 0 ',
    EDGE_BACKEND_SYNC_INTERVAL_SECONDS: '1.5',
    EDGE_ACKS_SCHEDULED: 'sent',
  };
  const { config } = new Sandbox().load({ env });
  expect(config.edge.own_addresses).toEqual(['+13105550101', 'me@example.com']);
  expect(config.websocket.enabled).toBe(false);
  expect(config.auth.allow_plain_secret).toBe(true);
  expect(config.outgoing.bubble_delay_ms).toBe(0);
  expect(config.backend.sync_interval_seconds).toBe(1.5);
  expect(config.acks.scheduled).toBe('sent');
});

test('relative paths start at the directory of their file, or at the working directory for variables', () => {
  const box = new Sandbox();
  const path = box.write(
    'etc/agent.yaml',
    `${MINIMAL}imessage: { db_path: data/chat.db, attachments_path: "~/att" }\n`,
  );
  box.write('etc/.env', 'EDGE_IMESSAGE_OSASCRIPT_PATH=./osascript\n');
  const { config } = box.load({ configPath: path, env: { EDGE_STATE_DIRECTORY: 'state' } });
  expect(config.imessage.db_path).toBe(join(box.root, 'etc/data/chat.db'));
  expect(config.imessage.attachments_path).toBe(join(box.home, 'att'));
  expect(config.imessage.osascript_path).toBe(join(box.root, 'etc/osascript'));
  expect(config.state.directory).toBe(join(box.cwd, 'state'));
  expect(config.logging.file).toBe(join(box.cwd, 'state/edge-agent.log'));
});

test('the defaults that depend on the platform are absolute and in the home directory', () => {
  const box = new Sandbox();
  const linux = box.load({ env: REQUIRED }).config;
  expect(linux.state.directory).toBe(join(box.home, '.local/state/edge-agent'));
  expect(linux.imessage.db_path).toBe(join(box.home, 'Library/Messages/chat.db'));
  const mac = box.load({ env: { ...REQUIRED, XDG_STATE_HOME: '/xdg' }, platform: 'darwin' }).config;
  expect(mac.state.directory).toBe(join(box.home, 'Library/Application Support/edge-agent'));
  expect(box.load({ env: { ...REQUIRED, XDG_STATE_HOME: '/xdg' } }).config.state.directory).toBe(
    '/xdg/edge-agent',
  );
});

test('an unquoted phone number is taken as it was written', () => {
  const text = MINIMAL.replaceAll('"', '')
    .concat('  # comment\n')
    .replace('edge:', 'edge:\n  own_addresses: [+13105550102]');
  const { config } = new Sandbox().loadYaml(text);
  expect(config.edge.user_phone).toBe('+13105550100');
  expect(config.edge.own_addresses).toEqual(['+13105550102']);
});

test('sections and keys without a value count as unset, and a file of comments is no mistake', () => {
  const box = new Sandbox();
  const { config } = box.loadYaml(`${MINIMAL}websocket:\n  # enabled: false\nlogging:\n  level:\n`);
  expect(config.logging.level).toBe('info');
  expect(config.websocket.enabled).toBe(true);
  expect(box.loadYaml('# nothing here\n', { env: REQUIRED }).config.edge.user_phone).toBe('+13105550100');
});

test('anchors and aliases work as in any YAML', () => {
  const { config } = new Sandbox().loadYaml(
    `${MINIMAL}commands: { max_age_seconds: &a 99, reflex_max_age_seconds: *a }\n`,
  );
  expect(config.commands.reflex_max_age_seconds).toBe(99);
});

test('the configuration is frozen to its leaves', () => {
  const { config } = new Sandbox().load({ env: { ...REQUIRED, EDGE_EDGE_OWN_ADDRESSES: 'a@b.c' } });
  for (const part of [config, config.backend, config.edge.own_addresses])
    expect(Object.isFrozen(part)).toBe(true);
});

test('secrets are beside the configuration, never in it, and a missing one is no mistake', () => {
  const box = new Sandbox();
  box.write('work/.env', 'EDGE_SECRET=from-dotenv\nREGISTRATION_TOKEN="reg 1"\n');
  const loaded = box.load({ env: { ...REQUIRED, EDGE_SECRET: 'from-env', EDGE_TOKEN: '' } });
  expect(loaded.secrets).toEqual({ edgeSecret: 'from-env', registrationToken: 'reg 1' });
  const { secrets: _, ...rest } = loaded;
  expect(inspect(rest, { depth: 9 })).not.toMatch(/from-|reg 1/);
  expect(new Sandbox().load({ env: REQUIRED }).secrets).toEqual({});
});

test('a secret with whitespace around it is trimmed and warned about without showing it', () => {
  const { secrets, warnings } = new Sandbox().load({ env: { ...REQUIRED, EDGE_SECRET: ' hush-hush\n' } });
  expect(secrets.edgeSecret).toBe('hush-hush');
  expect(warnings).toEqual([expect.stringContaining('EDGE_SECRET has whitespace')]);
  expect(warnings.join()).not.toContain('hush');
});

test('an unknown EDGE_ variable is a warning with the one that was meant', () => {
  const box = new Sandbox();
  box.write('work/.env', '\nEDGE_SECERT=hush\n');
  const env = {
    ...REQUIRED,
    EDGE_LOGING_LEVEL: 'debug',
    EDGE_ZZZZZZZZZZZZZZZZ: '1',
    EDGE_EMPTY: '',
    OTHER: 'x',
  };
  expect(box.load({ env }).warnings).toEqual([
    'environment: EDGE_LOGING_LEVEL is not a variable of edge-agent; did you mean EDGE_LOGGING_LEVEL?',
    'environment: EDGE_ZZZZZZZZZZZZZZZZ is not a variable of edge-agent',
    '.env:2: EDGE_SECERT is not a variable of edge-agent; did you mean EDGE_SECRET?',
  ]);
});

test('a .env that others can read is warned about with the command that fixes it', () => {
  const box = new Sandbox();
  const path = box.write('work/.env', 'EDGE_SECRET=in-no-path-at-all\n');
  expect(box.load({ env: REQUIRED }).warnings).toEqual([]);
  for (const mode of [0o640, 0o604, 0o620]) {
    chmodSync(path, mode);
    expect(box.load({ env: REQUIRED }).warnings).toEqual([expect.stringContaining(`chmod 600 "${path}"`)]);
  }
});

test('a broken line of .env is reported by its number and never shown', () => {
  const box = new Sandbox();
  box.write('work/.env', 'EDGE_SECRET: hush\nEDGE_TOKEN="hush\n');
  const { warnings, secrets } = box.load({ env: REQUIRED });
  expect(warnings).toHaveLength(2);
  expect(warnings.join('\n')).toMatch(/^\.env:1: .*\n\.env:2: EDGE_TOKEN/);
  expect(warnings.join()).not.toContain('hush');
  expect(secrets).toEqual({});
});

test('.env is looked for beside the file, or in the working directory without one', () => {
  const box = new Sandbox();
  const path = box.write('etc/agent.yaml', MINIMAL);
  expect(box.load({ configPath: path }).envPath).toBe(join(box.root, 'etc/.env'));
  expect(box.load({ env: REQUIRED }).envPath).toBe(join(box.cwd, '.env'));
});

test('the addresses of the backend are normalised to one form', () => {
  const env = {
    ...REQUIRED,
    BACKEND_URL: 'wss://api.example.com/v1/edge/ws/',
    BACKEND_WS_URL: 'https://ws.example.com',
  };
  const { backend } = new Sandbox().load({ env }).config;
  expect(backend.url).toBe('https://api.example.com/v1');
  expect(backend.websocket_url).toBe('wss://ws.example.com/edge/ws');
});
