import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { concealer } from '../../../src/diagnostics/checks/concealer.js';
import type { Report } from '../../../src/diagnostics/checks/runChecks.js';
import { saveReport } from '../../../src/diagnostics/selftest/saveReport.js';
import { selftestChecks } from '../../../src/diagnostics/selftest/selftestChecks.js';
import { namedHosts, writeSendableReport } from '../../../src/diagnostics/selftest/sendableReport.js';
import { dialogsRaised, noteAutomation } from '../../../src/kit/messages/automationDialog.js';
import { behave } from '../../../src/kit/messages/osascriptBehaviour.js';
import type { Problem } from '../../../src/model/problem.js';
import type { StatusSnapshot } from '../../../src/model/status.js';
import type { AskDaemon } from '../../../src/operator/askDaemon.js';
import { OWN, SECRET, TestContext } from '../checks/TestContext.js';

const verdicts = (report: Report) =>
  Object.fromEntries(report.checks.map(({ id, verdict }) => [id, verdict]));
const finding = (report: Report, id: string) => report.checks.find((check) => check.id === id);

function running(...problems: Partial<Problem>[]): TestContext['changes'] {
  const snapshot = { version: '0.1.0', pid: 4711, problems } as StatusSnapshot;
  return { agent: { kind: 'up', snapshot } };
}

test('on a healthy Mac every check passes, down to the delivery of a real text', async () => {
  const context = new TestContext();
  context.changes = { send: true };
  const [report] = await Promise.all([context.run(), context.deliver()]);
  const others = report.checks.filter(({ verdict }) => verdict !== 'PASS');
  expect(others.map(({ id, verdict }) => [id, verdict])).toEqual([
    ['agent', 'SKIP'],
    ['local-network', 'SKIP'],
  ]);
  expect(report.checks.map(({ id }) => id)).toEqual(selftestChecks().map(({ id }) => id));
  expect(report.summary).toEqual({ PASS: report.checks.length - 2, WARN: 0, FAIL: 0, SKIP: 2 });
});

test.each([
  [0, 'PASS'],
  [249, 'PASS'],
  [250, 'WARN'],
  [2_000, 'FAIL'],
] as const)('timers that are %i ms late: %s', async (ms, verdict) => {
  const context = new TestContext();
  context.timersLate = ms;
  expect(verdicts(await context.run('wake-gap'))['wake-gap']).toBe(verdict);
});

describe('without --send', () => {
  test('nothing is sent', async () => {
    const context = new TestContext();
    const report = verdicts(await context.run());
    expect([report.send, report.echo, report.delivery]).toEqual(['SKIP', 'SKIP', 'SKIP']);
    expect(context.mac.sent()).toEqual([]);
  });

  test('what does not apply off macOS is skipped, and the rest still works', async () => {
    const context = new TestContext();
    context.changes = { platform: 'linux' };
    const report = await context.run();
    expect(report.summary).toMatchObject({ WARN: 0, FAIL: 0 });
    for (const check of selftestChecks().filter(({ macOnly }) => macOnly === true)) {
      expect(finding(report, check.id), check.id).toMatchObject({ verdict: 'SKIP' });
    }
    expect(verdicts(report)).toMatchObject({
      'chatdb-access': 'PASS',
      'chatdb-decode': 'PASS',
      'file-events': 'PASS',
    });
  });

  test('a missing chat.db is no fault off macOS and one on it', async () => {
    const context = new TestContext();
    context.settings = { EDGE_IMESSAGE_DB_PATH: '/nowhere/chat.db' };
    context.changes = { platform: 'linux' };
    expect(verdicts(await context.run('chatdb-access'))['chatdb-access']).toBe('SKIP');
    context.changes = {};
    expect(verdicts(await context.run('chatdb-access'))['chatdb-access']).toBe('FAIL');
  });
});

const faults: readonly (readonly [string, string, (context: TestContext) => void])[] = [
  ['node', 'FAIL', (b) => Object.assign(b.changes, { node: { path: b.nodePath, version: 'v18.0.0' } })],
  [
    'node',
    'WARN',
    (b) =>
      Object.assign(b.changes, {
        node: { path: '/opt/homebrew/Cellar/node/22/bin/node', version: 'v22.0.0' },
      }),
  ],
  ['launchd-node', 'FAIL', (b) => b.launchAgent('/no/node')],
  ['launchd-node', 'WARN', (b) => b.launchAgent(b.standIns.write('other', ''))],
  ['config', 'FAIL', (b) => Object.assign(b.changes, { config: { kind: 'invalid', why: 'a mistake' } })],
  ['config', 'WARN', (b) => Object.assign(b.settings, { EDGE_SECRET: '' })],
  ['state-directory', 'WARN', (b) => b.openFile()],
  ['agent', 'PASS', (b) => Object.assign(b.changes, running())],
  ['agent', 'WARN', (b) => Object.assign(b.changes, running({ code: 'backend_unreachable', remedy: 'x' }))],
  ['agent', 'FAIL', (b) => Object.assign(b.changes, { agent: { kind: 'unclear', message: 'no answer' } })],
  ['macos-version', 'PASS', (b) => b.program('sw_vers', 'echo 27.2')],
  ['macos-version', 'WARN', (b) => b.program('sw_vers', 'echo 28.0')],
  ['macos-version', 'WARN', (b) => b.program('sw_vers', 'exit 1')],
  [
    'chatdb-access',
    'FAIL',
    (b) =>
      Object.assign(b.changes, running({ code: 'chatdb_not_permitted', message: 'no', remedy: 'allow' })),
  ],
  [
    'programs',
    'FAIL',
    (b) => Object.assign(b.changes, { programs: { ...b.context().programs, sips: '/no/sips' } }),
  ],
  ['chatdb-access', 'FAIL', (b) => noDatabase(b)],
  ['chatdb-schema', 'FAIL', (b) => dropColumn(b, 'chat', 'style')],
  ['chatdb-schema', 'WARN', (b) => dropColumn(b, 'message', 'date_read')],
  [
    'chatdb-decode',
    'FAIL',
    (b) => void b.mac.chatDb.insertMessage({ attributedBody: Buffer.from('nonsense') }),
  ],
  ['sleep', 'FAIL', (b) => b.program('pmset', "echo ' sleep                10'")],
  ['sleep', 'WARN', (b) => b.program('pmset', "echo ' sleep  10 (sleep prevented by caffeinate)'")],
  ['osascript-start', 'FAIL', (b) => b.osascript({ start: 'exit 1' })],
  [
    'osascript-start',
    'FAIL',
    (b) => b.osascript({ fails: "echo 'execution error: edge-agent' >&2; exit 1" }),
  ],
  ['messages-running', 'WARN', (b) => b.program('pgrep', 'exit 1')],
  [
    'messages-running',
    'FAIL',
    (b) => {
      b.program('pgrep', 'exit 1');
      Object.assign(b.changes, running());
    },
  ],
  ['automation', 'FAIL', (b) => b.permission(0)],
  ['automation', 'WARN', (b) => b.permission(null)],
  ['account', 'FAIL', (b) => b.osascript({ accounts: 'SMS,true,connected' })],
  ['account', 'WARN', (b) => b.osascript({ accounts: 'iMessage,true,disconnected' })],
];

test.each(faults)('%s says %s', async (id, verdict, spoil) => {
  const context = new TestContext();
  spoil(context);
  const found = finding(await context.run(id), id);
  expect(found).toMatchObject({ id, verdict, evidence: expect.stringMatching(/\S/) });
  if (verdict !== 'PASS') expect(found?.remedy).toMatch(/\S/);
});

describe('sending', () => {
  test('is confirmed first, and not done when declined', async () => {
    const context = new TestContext();
    let asked = '';
    const confirm = async (question: string) => {
      asked = question;
      return false;
    };
    context.changes = { send: true, confirm };
    expect(verdicts(await context.run('send')).send).toBe('SKIP');
    expect(asked).toContain('+1•••0100');
    expect(context.mac.sent()).toEqual([]);
  });

  test('falls back to the participant where the chat does not resolve, and reports what was refused', async () => {
    const context = new TestContext();
    context.changes = { send: true };
    behave(context.mac.osascriptDirectory, { kind: 'error', number: -1728, when: 'before' });
    behave(context.mac.osascriptDirectory, { kind: 'error', number: -1743, when: 'before' });
    const report = await context.run('send', 'echo', 'delivery');
    expect(finding(report, 'send')).toMatchObject({
      verdict: 'FAIL',
      evidence: expect.stringContaining('-1743'),
    });
    expect(verdicts(report)).toMatchObject({ echo: 'SKIP', delivery: 'SKIP' });
  });

  test('without the dispatch marker before it is a failure: recovery could not tell it from one that never began', async () => {
    const context = new TestContext();
    context.changes = { send: true };
    behave(context.mac.osascriptDirectory, { kind: 'silent' });
    const found = finding(await context.run('send'), 'send');
    expect(found).toMatchObject({ verdict: 'FAIL', evidence: expect.stringContaining('dispatch marker') });
  });

  test.each([
    [
      'anonymous',
      200,
      'PASS',
      /^is_from_me 0, is_finished 0, no handle.* after \d+ ms; .*is_from_me 1.* after \d+ ms/,
    ],
    ['recipient', 200, 'PASS', /^is_from_me 0, is_finished 0(?!, no handle).* after \d+ ms; .*is_from_me 1/],
    ['none', 0, 'PASS', /^is_from_me 1/],
    ['anonymous', 1_300, 'WARN', /^is_from_me 0.*is_from_me 1/],
  ] as const)(
    'whose row is written %s first, for %i ms: %s, with every state that was seen',
    async (form, ms, verdict, evidence) => {
      const context = new TestContext();
      context.changes = { send: true };
      behave(context.mac.osascriptDirectory, { kind: 'ok', first: { form, settlesAfterMs: ms } });
      const found = finding(await context.run('send', 'first-states'), 'first-states');
      expect(found).toMatchObject({ verdict, evidence: expect.stringMatching(evidence) });
      expect(found?.evidence).not.toContain('selftest');
    },
  );

  test('that Messages reports as not delivered is a failure', async () => {
    const context = new TestContext();
    context.changes = { send: true };
    behave(context.mac.osascriptDirectory, { kind: 'ok', row: { kind: 'failing', afterMs: 300 } });
    const found = finding(await context.run('send', 'delivery'), 'delivery');
    expect(found).toMatchObject({ verdict: 'FAIL', evidence: 'error 22' });
  });

  test('is left to the running agent, whose refusal is reported', async () => {
    const context = new TestContext();
    const asked: unknown[] = [];
    context.changes = {
      ...running(),
      send: true,
      askAgent: async (request) => {
        asked.push(request);
        return { kind: 'refused', code: 'state_unwritable', message: 'the disk is full', remedy: '' };
      },
    };
    const found = finding(await context.run('send'), 'send');
    expect(asked).toEqual([
      {
        verb: 'selftest.send',
        text: expect.stringMatching(/^edge-agent selftest: é, “quotes” and 👋 [0-9a-f]{8}$/),
      },
    ]);
    expect(found).toMatchObject({ verdict: 'FAIL', evidence: expect.stringContaining('the disk is full') });
    expect(context.mac.sent()).toEqual([]);
  });
});

/** A running agent with these answers, by verb; a verb that is not listed is unknown to it. */
function answering(
  answers: Readonly<Record<string, unknown>>,
  ...problems: Partial<Problem>[]
): TestContext['changes'] {
  const askAgent = (async ({ verb }) =>
    verb in answers
      ? { kind: 'answered', result: answers[verb] }
      : { kind: 'refused', code: 'invalid_payload', message: 'unknown verb', remedy: '' }) as AskDaemon;
  return { ...running(...problems), askAgent };
}

describe('what only the agent knows is asked of it, not of this terminal', () => {
  test.each([
    ['the node of launchd', 'PASS', /with which the running agent runs/, (own: string) => own],
    ['another one', 'WARN', /the running agent runs with \//, () => process.execPath],
  ] as const)('only its own node counts; it runs with %s: %s', async (_what, verdict, evidence, running) => {
    const context = new TestContext();
    const own = context.standIns.write('edge-agent', '');
    context.launchAgent(own);
    context.changes = answering({ runtime: { node_path: running(own), node_version: 'v22.0.0' } });
    expect(finding(await context.run('launchd-node'), 'launchd-node')).toMatchObject({
      verdict,
      evidence: expect.stringMatching(evidence),
    });
  });

  test.each([
    ['granted', false, 'PASS', /grants/],
    ['denied', false, 'FAIL', /denies/],
    ['undecided', true, 'FAIL', /dialog on the screen/],
    ['undecided', false, 'FAIL', /no dialog/],
    ['not_running', false, 'WARN', /is not running/],
    ['unknown', false, 'SKIP', /does not tell/],
  ] as const)(
    'Automation is %s, a dialog open: %s: %s',
    async (permission, isDialogOpen, verdict, evidence) => {
      const context = new TestContext();
      context.permission(permission === 'granted' ? 0 : 2);
      context.changes = answering({ automation: { permission, isDialogOpen } });
      const found = finding(await context.run('automation'), 'automation');
      expect(found).toMatchObject({ verdict, evidence: expect.stringMatching(evidence) });
    },
  );

  test('an older agent, which cannot be asked, still reports what it met', async () => {
    const context = new TestContext();
    context.changes = answering({}, { code: 'automation_denied', message: 'no', remedy: 'allow' });
    expect(verdicts(await context.run('automation')).automation).toBe('FAIL');
  });

  test.each([
    ['https://192.168.1.20', 'connect EHOSTUNREACH 192.168.1.20:443 - Local (192.168.1.3:5)', 'FAIL'],
    ['https://192.168.1.20', 'connect ECONNREFUSED 192.168.1.20:443', 'WARN'],
    ['https://192.168.1.20', undefined, 'PASS'],
    ['https://[fd00::1]', undefined, 'PASS'],
    ['https://203.0.113.9', undefined, 'SKIP'],
    ['http://127.0.0.1:1', undefined, 'SKIP'],
  ] as const)('%s, reported by it as %s: %s', async (url, detail, verdict) => {
    const context = new TestContext();
    context.settings = { BACKEND_URL: url };
    const code = 'backend_unreachable';
    context.changes = running(
      ...(detail === undefined ? [] : [{ code, message: detail, remedy: 'x' } as const]),
    );
    expect(verdicts(await context.run('local-network'))['local-network']).toBe(verdict);
    context.changes = {};
    expect(verdicts(await context.run('local-network'))['local-network']).toBe('SKIP');
  });

  test('timers are those of the agent, whose process launchd may slow down', async () => {
    const context = new TestContext();
    context.changes = answering({ timers: { worst_ms: 400 } });
    expect(finding(await context.run('wake-gap'), 'wake-gap')).toMatchObject({
      verdict: 'WARN',
      evidence: expect.stringMatching(/^those of the running agent: at most 400 ms late/),
    });
    // One of before, which cannot be asked.
    context.changes = answering({});
    expect(finding(await context.run('wake-gap'), 'wake-gap')?.evidence).toMatch(/^those of this program:/);
  });

  test('the marker is proven by the agent, which remembers it', async () => {
    const context = new TestContext();
    context.changes = answering({ marker: { proven: true, ms: 40 } });
    expect(finding(await context.run('marker'), 'marker')).toMatchObject({
      verdict: 'PASS',
      evidence: expect.stringContaining('by the running agent'),
    });
    context.changes = answering({ marker: { proven: false, why: 'no marker within 15 s' } });
    expect(verdicts(await context.run('marker')).marker).toBe('FAIL');
  });

  test.each([
    [
      { kind: 'told', accounts: 2, enabled: 1, connected: 1 },
      'PASS',
      /2 iMessage accounts, 1 enabled, 1 connected/,
    ],
    [{ kind: 'told', accounts: 1, enabled: 1, connected: 0 }, 'WARN', /0 connected/],
    [{ kind: 'told', accounts: 1, enabled: 0, connected: 0 }, 'FAIL', /0 enabled/],
    [{ kind: 'failed', why: 'Messages did not answer' }, 'FAIL', /did not answer/],
    [{ kind: 'notAllowed' }, 'SKIP', /the running agent may not ask/],
  ] as const)(
    'the accounts are read by the agent, whatever this terminal may: %j',
    async (accounts, verdict, evidence) => {
      const context = new TestContext();
      noteAutomation(context.mac.osascriptDirectory, 'undecided');
      context.changes = answering({ accounts });
      expect(finding(await context.run('account'), 'account')).toMatchObject({
        verdict,
        evidence: expect.stringMatching(evidence),
      });
    },
  );

  test('a terminal that may not control Messages says so, raises no dialog and blames nothing', async () => {
    const context = new TestContext();
    noteAutomation(context.mac.osascriptDirectory, 'undecided');
    expect(finding(await context.run('account'), 'account')).toMatchObject({
      verdict: 'SKIP',
      evidence: expect.stringContaining('says nothing about the agent'),
    });
    expect(dialogsRaised(context.mac.osascriptDirectory)).toBe(0);
  });

  test.each([
    ['failed', 'automation_denied', 1, /the running agent: automation_denied: no/],
    ['unknown', 'outcome_unknown', 1, /the running agent: outcome_unknown: no/],
  ] as const)(
    'a text that is %s there is reported with its code, at once',
    async (state, code, attempts, evidence) => {
      const context = new TestContext();
      const status = {
        problems: [{ code, remedy: 'the step' }],
        vital_signs: { can_send: { codes: [code] } },
      };
      const text = { state, attempts, error_code: code, error: 'no' };
      context.changes = {
        ...answering({ 'selftest.send': { id: 'x' }, 'selftest.text': text, status }),
        send: true,
      };
      const found = finding(await context.run('send'), 'send');
      expect(found).toMatchObject({
        ...{ verdict: 'FAIL', remedy: 'the step', evidence: expect.stringMatching(evidence) },
      });
    },
  );
});

describe('the marker', () => {
  test('that comes only with the end of osascript is not proven', async () => {
    const context = new TestContext();
    context.standIns.write('osascript-any', 'sleep 0.3; echo edge-agent:dispatch >&2');
    expect(finding(await context.run('marker'), 'marker')).toMatchObject({
      verdict: 'FAIL',
      evidence: expect.stringContaining('osascript ended'),
    });
  });
});

describe('the report', () => {
  test('has no secret, number, address or name of a user in it', () => {
    const conceal = concealer([SECRET], '/Users/jane');
    const told = conceal(`${SECRET} ${OWN} +1 310 555 0100 jane@example.com /Users/jane/x /Users/bob/y`);
    expect(told).toBe('[secret] +1•••0100 +1•••0100 j•••@example.com ~/x /Users/•••/y');
  });

  test('shows no text of a message and no number, whatever happened', async () => {
    const context = new TestContext();
    context.changes = running({ code: 'messages_unavailable', message: `no ${OWN}`, remedy: `call ${OWN}` });
    const text = JSON.stringify(await context.run());
    for (const secret of [SECRET, OWN, '3105551234', 'hello', context.homeDir])
      expect(text).not.toContain(secret);
  });

  test('to be sent does not name the operator’s hosts either, and never overwrites another file', async () => {
    const context = new TestContext();
    context.settings = {
      BACKEND_URL: 'https://secret-startup.example.com',
      HTTPS_PROXY: 'http://jane:pass-of-jane@proxy.intern.example.com:3128',
    };
    const problem = {
      code: 'backend_unreachable',
      message: `secret-startup.example.com does not answer: connect EHOSTUNREACH 192.168.7.20:443 for ${OWN} in ${context.homeDir}.`,
      remedy: 'Ask proxy.intern.example.com.',
    } as const;
    context.changes = running(problem);
    const report = await context.run();
    const path = join(context.state, 'to-send.json');
    const write = (name: string | undefined) =>
      writeSendableReport(report, { arch: 'arm64', node: 'v24.1.0' }, name, {
        secrets: [SECRET],
        homeDir: context.homeDir,
        hosts: namedHosts(context.context().config),
      });
    expect(write(path)).toBe(path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const text = readFileSync(path, 'utf8');
    const hidden = [
      'secret-startup',
      'intern.example',
      'pass-of-jane',
      '192.168.7.20',
      OWN,
      '3105550100',
      SECRET,
    ];
    for (const one of [...hidden, context.homeDir]) expect(text).not.toContain(one);
    const sent = JSON.parse(text) as Report;
    expect(sent).toMatchObject({ schema: 1, arch: 'arm64', node: 'v24.1.0', summary: report.summary });
    expect(sent.checks.map(({ id, verdict }) => [id, verdict])).toEqual(
      report.checks.map(({ id, verdict }) => [id, verdict]),
    );
    expect(() => write(path)).toThrowError(expect.objectContaining({ code: 'state_unwritable' }));
  });

  test('is saved for this user alone, in place of the one before', async () => {
    const context = new TestContext();
    const report = await context.run();
    saveReport(report, context.state);
    const path = saveReport(report, context.state);
    expect(path).toBe(join(context.state, 'selftest.json'));
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(report);
  });
});

/** Names a file that is there and is something else. */
function noDatabase(context: TestContext): void {
  const path = join(context.state, 'chat.db');
  writeFileSync(path, 'this is no database');
  context.settings = { EDGE_IMESSAGE_DB_PATH: path };
}

/** SQLite cannot drop a column that an index or trigger names, so those that do go first. */
function dropColumn(context: TestContext, table: string, column: string): void {
  context.alter((database) => {
    const naming = database
      .prepare("SELECT type, name FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql LIKE ?")
      .all(`%${column}%`) as { type: string; name: string }[];
    for (const { type, name } of naming) database.exec(`DROP ${type} "${name}"`);
    database.exec(`ALTER TABLE ${table} DROP COLUMN ${column}`);
  });
}
