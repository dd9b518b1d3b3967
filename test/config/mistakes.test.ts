import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../src/config/ConfigError.js';
import { SETTINGS } from '../../src/config/settings.js';
import { anyText } from '../support/anyText.js';
import { sized } from '../support/size.js';
import { MINIMAL, REQUIRED, Sandbox } from './sandbox.js';

const with_ = (extra: string) => `${MINIMAL}${extra}`;

test('every mistake is listed at once, with place, key, what was found and what is expected', () => {
  const error = new Sandbox().errorOf(
    [
      'edge:',
      '  user_phone: "310 555"',
      'backend:',
      '  url: http://backend.example.com',
      '  sync_interval_seconds: fast',
      '  timeout: 5',
      'websocket:',
      '  enabled: "yes"',
      '  ping_interval_second: 3',
      'outgoing:',
      '  bubble_delay_ms: 60001',
    ].join('\n'),
    { EDGE_ACKS_SCHEDULED: 'never', EDGE_MONITOR_PORT: '0x10' },
  );
  expect(error.code).toBe('config_invalid');
  expect(error.message.split('\n')).toEqual([
    'The configuration has 9 mistakes:',
    '  config.yaml:2  edge.user_phone: found "310 555", expected a phone number in E.164 form, such as "+13105550100", or an e-mail address',
    '  config.yaml:4  backend.url: found "http://backend.example.com", expected https:// or wss://, because this host is not this machine and secrets would be sent in plain text',
    '  config.yaml:5  backend.sync_interval_seconds: found "fast", expected a number of seconds from 1 to 3600',
    '  config.yaml:6  backend.timeout: found an unknown key, expected a key of "backend:"',
    '  config.yaml:8  websocket.enabled: found "yes", expected true or false (write true without quotes)',
    '  config.yaml:9  websocket.ping_interval_second: found an unknown key, expected a key of "websocket:" (did you mean ping_interval_seconds?)',
    '  config.yaml:11  outgoing.bubble_delay_ms: found 60001, expected a whole number of milliseconds from 0 to 60000',
    '  EDGE_ACKS_SCHEDULED (environment)  acks.scheduled: found "never", expected one of stored, sent, both',
    '  EDGE_MONITOR_PORT (environment)  monitor.port: found "0x10", expected a port from 0 to 65535',
  ]);
});

describe('a value outside its range is a mistake, the bounds themselves are not', () => {
  const ranges: [string, number, number][] = [
    ['backend.sync_interval_seconds', 1, 3600],
    ['backend.request_timeout_seconds', 1, 600],
    ['websocket.ping_interval_seconds', 1, 300],
    ['websocket.reconnect_attempts', 0, 1000],
    ['imessage.send_timeout_seconds', 1, 600],
    ['outgoing.bubble_delay_ms', 0, 60_000],
  ];
  test.each(ranges)('%s from %d to %d', (key, least, most) => {
    const box = new Sandbox();
    const variable = `EDGE_${key.replace('.', '_')}`.toUpperCase();
    for (const bound of [least, most]) box.load({ env: { ...REQUIRED, [variable]: String(bound) } });
    for (const beyond of [least - 1, most + 1, 'NaN', 'Infinity', '1e2', '5s']) {
      const env = { ...REQUIRED, [variable]: String(beyond) };
      expect(() => box.load({ env }), `${key} = ${beyond}`).toThrowError(key);
    }
  });
});

test('infinite and fractional numbers in YAML are refused where they make no sense', () => {
  const box = new Sandbox();
  expect(box.mistakesIn(with_('outgoing: { bubble_delay_ms: 1.5 }'))).toMatchObject([{ found: '1.5' }]);
  expect(box.mistakesIn(with_('schedule: { max_lateness_seconds: .inf }'))).toMatchObject([
    { found: 'Infinity' },
  ]);
  expect(box.mistakesIn(with_('schedule: { max_lateness_seconds: .nan }'))).toMatchObject([{ found: 'NaN' }]);
});

test('a number in quotes is a mistake that says what to change', () => {
  const [mistake] = new Sandbox().mistakesIn(with_('websocket:\n  ping_interval_seconds: "30"'));
  expect(mistake).toMatchObject({ line: 6, found: '"30"', suggestion: 'write it without quotes' });
});

test('a phone number with punctuation is refused, and its E.164 form suggested', () => {
  const [mistake] = new Sandbox().mistakesIn(MINIMAL.replace('+13105550100', '+1 (310) 555-0100'));
  expect(mistake?.suggestion).toBe('did you mean "+13105550100"?');
});

test.each(['', '13105550100', '+03105550100', '+1', '+1310555010012345', 'me@', 'a:b@example.com'])(
  'the phone number "%s" is refused',
  (phone) => {
    const keys = new Sandbox()
      .mistakesIn(MINIMAL.replace('+13105550100', phone))
      .map((mistake) => mistake.key);
    expect(keys).toEqual(['edge.user_phone']);
  },
);

test('what is required and missing is reported at the line where it belongs', () => {
  const box = new Sandbox();
  expect(box.mistakesIn('\nedge:\nbackend:\n  url:\n')).toMatchObject([
    { key: 'edge.user_phone', line: 2, found: 'nothing', source: 'default', place: 'config.yaml:2' },
    { key: 'backend.url', line: 4, found: 'nothing', suggestion: 'give it there or as BACKEND_URL' },
  ]);
  expect(() => new Sandbox().load()).toThrowError(
    expect.objectContaining({
      message: expect.stringMatching(/no config file {2}edge\.user_phone: found nothing/),
      remedy: expect.stringContaining('edge-agent setup'),
    }),
  );
});

describe('a file that is no configuration is refused with a line', () => {
  test.each([
    ['a list', '# x\n- edge\n- backend\n', 2, 'a list'],
    ['a text', 'hello\n', 1, 'a single value'],
    ['null', '~\n', 1, 'a single value'],
    ['tab indentation', 'edge:\n\tuser_phone: x\n', 2, 'a syntax error'],
    ['an open quote', 'edge:\n  user_phone: "x\n', 3, 'a syntax error'],
    ['an open bracket', 'edge: {a: 1\n', 2, 'a syntax error'],
    ['two documents', 'edge: {}\n---\nedge: {}\n', 2, 'a syntax error'],
    ['an unknown tag', 'edge: {}\nbackend:\n  url: !secret url\n', 3, 'a syntax error'],
  ])('%s', (_, text, line, found) => {
    const [mistake] = new Sandbox().mistakesIn(text, REQUIRED);
    expect(mistake).toMatchObject({ key: '', line, source: 'file', found: expect.stringContaining(found) });
  });
});

test('a broken file does not cause a report that its contents are missing', () => {
  const keys = new Sandbox()
    .mistakesIn('edge: {\n', { EDGE_MONITOR_PORT: 'x' })
    .map((mistake) => mistake.key);
  expect(keys).toContain('monitor.port');
  expect(keys).not.toContain('edge.user_phone');
});

test('a key written twice is a mistake at its second line, in sections and at the top', () => {
  const box = new Sandbox();
  expect(box.mistakesIn(with_('  url: https://other.example.com\n'))).toMatchObject([
    {
      key: 'backend.url',
      line: 5,
      found: 'the same key again',
      expected: 'it once (it is already on line 4)',
    },
  ]);
  expect(box.mistakesIn(with_('edge: {}\n'))).toMatchObject([{ key: 'edge', line: 5 }]);
});

describe('unknown keys', () => {
  const hint = (extra: string) => new Sandbox().mistakesIn(with_(extra))[0]?.suggestion;
  test('a misspelt section', () => expect(hint('websockets: {}')).toBe('did you mean websocket?'));
  test('a setting at the top', () => expect(hint('user_phone: x')).toBe('did you mean edge.user_phone?'));
  test('a setting in another section', () =>
    expect(hint('websocket: { sync_interval_seconds: 5 }')).toBe(
      'did you mean backend.sync_interval_seconds?',
    ));
  test('a dotted key', () => expect(hint('monitor.port: 5')).toBe('write it as "port:" below "monitor:"'));
  test('nothing similar', () => expect(hint('zzzzzzzzzz: 5')).toBeUndefined());
  test('a secret', () => expect(hint('auth: { secret: hush }')).toMatch(/\.env: EDGE_SECRET/));
  test('names every object has', () => {
    for (const name of ['__proto__', 'constructor', 'toString']) {
      expect(new Sandbox().mistakesIn(with_(`${name}: { x: 1 }\nwebsocket: { ${name}: 1 }\n`))).toHaveLength(
        2,
      );
    }
  });
});

test('a value where a section belongs, and the reverse', () => {
  const found = new Sandbox().mistakesIn('edge: [a]\nbackend: x\nlogging:\n  level: { a: 1 }\n', REQUIRED);
  expect(found.map(({ key, found }) => [key, found])).toEqual([
    ['edge', 'a list'],
    ['backend', 'a single value'],
    ['logging.level', 'a section'],
  ]);
});

test('a list with something else in it, or that contains itself, is refused', () => {
  const box = new Sandbox();
  const listed = (list: string) =>
    box.mistakesIn(MINIMAL.replace('edge:', `edge:\n  own_addresses: ${list}`));
  expect(listed('["+13105550101", {a: 1}, 5]')).toMatchObject([
    { found: '["+13105550101", a section, "5"]' },
  ]);
  expect(listed('&a [*a]')).toMatchObject([{ key: 'edge.own_addresses' }]);
  expect(listed('+13105550101')).toMatchObject([{ key: 'edge.own_addresses' }]);
});

test('a wrong value that a variable overrides is a warning, not a mistake', () => {
  const { config, warnings } = new Sandbox().loadYaml(with_('logging: { level: loud }'), {
    env: { EDGE_LOGGING_LEVEL: 'warn' },
  });
  expect(config.logging.level).toBe('warn');
  expect(warnings).toEqual([
    expect.stringMatching(/^config\.yaml:5: logging\.level is "loud".*EDGE_LOGGING_LEVEL/),
  ]);
});

test('a choice nearly right is suggested', () => {
  expect(new Sandbox().mistakesIn(with_('logging: { level: INFO }'))[0]?.suggestion).toBe(
    'did you mean info?',
  );
});

test('a path with another user’s ~ or a NUL byte is refused rather than taken literally', () => {
  const box = new Sandbox();
  for (const path of ['~other/chat.db', '"a\\0b"', '""']) {
    expect(box.mistakesIn(with_(`imessage: { db_path: ${path} }`))).toMatchObject([
      { key: 'imessage.db_path' },
    ]);
  }
});

describe('no mistake shows a secret', () => {
  const secret = 'sup3r/s3cret?with"quotes';
  const env = { ...REQUIRED, EDGE_SECRET: ` ${secret} ` };
  test.each([
    ['as a choice', { EDGE_AUTH_MODE: secret }],
    ['as a number', { EDGE_MONITOR_PORT: secret }],
    ['inside a URL', { BACKEND_URL: `https://x.example/ ${secret}` }],
    ['far behind', { EDGE_LOGGING_LEVEL: `${'x'.repeat(70)}${secret}` }],
    ['as an id', { EDGE_AGENT_ID: `${'x'.repeat(75)}${secret} ` }],
  ])('%s', (_, more) => {
    let text = '';
    try {
      new Sandbox().load({ env: { ...env, ...more } });
    } catch (thrown) {
      if (!(thrown instanceof ConfigError)) throw thrown;
      text = `${thrown.message}${JSON.stringify(thrown.mistakes)}${thrown.warnings}`;
    }
    for (const piece of ['sup3r', 's3cret', 'quotes']) expect(text).not.toContain(piece);
  });

  test('that is only in the file', () => {
    const error = new Sandbox().errorOf(
      `auth: ${'hush'.repeat(8)}\nbackend:\n  url: https://me:hush@b.example\n  secret: hush\n`,
    );
    expect(error.message).not.toContain('hush');
    const mode = new Sandbox().errorOf(with_(`auth: { mode: ${'hush'.repeat(8)} }`));
    expect(mode.message).toContain('found a text of 32 characters');
    const syntax = new Sandbox().errorOf(with_('auth:\n  secret: "hush" hush\n  - hush\n'));
    expect(syntax.message).not.toContain('hush');
  });
});

test('whatever a file contains, loading ends in a configuration or a readable error', () => {
  const box = new Sandbox();
  const keys = SETTINGS.map((setting) => setting.key);
  const scalar = fc.oneof(
    fc.string(),
    fc.double().map(String),
    fc.constantFrom('~', '[]', '{}', '*a', '&a x', '!!int x', '"'),
  );
  const line = fc.oneof(
    anyText(),
    fc
      .tuple(fc.constantFrom(...keys), scalar)
      .map(([key, value]) => `${key.replace('.', ':\n  ')}: ${value}`),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 6 }), (lines) => {
      try {
        box.loadYaml(lines.join('\n'), { env: REQUIRED });
      } catch (thrown) {
        if (!(thrown instanceof ConfigError)) throw thrown;
        expect(thrown.mistakes.length).toBeGreaterThan(0);
        for (const mistake of thrown.mistakes) expect(mistake.line ?? 1).toBeGreaterThan(0);
      }
    }),
    { numRuns: sized(100, 1_000) },
  );
});

test('of a URL whose path is a kind of secret only the host is shown', () => {
  const text = `${MINIMAL}health:\n  heartbeat_url: http://user:pw@hc.example.com/ping/4f2a?x=s3cret\n`;
  const [mistake] = new Sandbox().mistakesIn(text);
  expect(mistake).toMatchObject({ key: 'health.heartbeat_url', found: '"http://hc.example.com/…"' });
});
