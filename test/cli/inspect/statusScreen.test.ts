import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { statusScreen } from '../../../src/cli/inspect/statusScreen.js';
import { legible, printable, type Terminal } from '../../../src/cli/terminal.js';
import type { StatusSnapshot } from '../../../src/model/status.js';
import { statusFixture, vitalSignsFixture } from '../../support/statusFixture.js';

const NOW = Date.parse('2026-11-20T09:00:00.000Z');
const PLAIN: Terminal = { isTerminal: false, colour: false, unicode: true, columns: 80 };
const earlier = (seconds: number) => new Date(NOW - seconds * 1000).toISOString();

const HEALTHY = statusFixture({
  version: '0.1.0',
  agent_id: 'edge_13105550100',
  pid: 1737,
  uptime_seconds: 3661,
  vital_signs: vitalSignsFixture({
    can_read: { state: 'ok', evidence: 'chat.db was read', evidence_at: earlier(1), codes: [] },
    can_post: {
      state: 'not_yet_known',
      evidence: 'no message has been posted',
      evidence_at: null,
      codes: [],
    },
    is_answered: {
      state: 'failing',
      evidence: 'The backend accepts no messages.',
      evidence_at: earlier(180),
      codes: ['messages_not_taken'],
    },
    can_send: { state: 'ok', evidence: 'a text was sent', evidence_at: earlier(7200), codes: [] },
    link_stable: { state: 'ok', evidence: 'a ping was answered', evidence_at: earlier(4), codes: [] },
    commands_reach_us: { state: 'ok', evidence: 'a sync succeeded', evidence_at: earlier(60), codes: [] },
    nothing_given_up: { state: 'ok', evidence: 'nothing is set aside', evidence_at: earlier(0), codes: [] },
  }),
  link_detail: {
    state: 'online',
    since: earlier(60),
    attempt: 0,
    rtt_ms: 4.6,
    last_pong_at: earlier(4),
    reconnects_24h: 2,
    next_attempt_at: null,
    poller: 'paused',
    last_disconnect: { cause: 'closed with 1012', at: earlier(90) },
  },
  scheduled_messages: 1,
  events_undelivered: 3,
  incoming_queued: 2,
  last_incoming_at: earlier(7),
  last_error: 'it went wrong',
  last_error_at: earlier(7200),
  next_scheduled_at: new Date(NOW + 600_000).toISOString(),
  oldest: {
    commands_waiting: null,
    acks_undelivered: null,
    events_undelivered: earlier(300),
    incoming_queued: earlier(42),
    incoming_parked: null,
    sends_queued: null,
    uploads_queued: null,
  },
  chatdb: { row_id: 4711, rows_behind: 3 },
  memory_usage_mb: 72,
  monitor: { port: 3100, connected: 0, authenticated: 0 },
});

describe('the status screen', () => {
  test('has every number with its age, aligned', () => {
    expect(statusScreen(HEALTHY, NOW, PLAIN)).toEqual([
      'edge-agent 0.1.0  healthy  up 1 h 1 min  pid 1737',
      '  can read        ok – chat.db was read, 1 s ago',
      '  can post        not yet known – no message has been posted',
      '  is answered     failing – messages_not_taken for 3 min 0 s',
      '  can send        ok – a text was sent, 2 h 0 min ago',
      '  link stable     ok – a ping was answered, 4 s ago',
      '  commands arrive ok – a sync succeeded, 1 min 0 s ago',
      '  nothing lost    ok – nothing is set aside',
      '  agent id        edge_13105550100',
      '  link            real-time (WebSocket) – online for 1 min 0 s',
      '  round trip      5 ms, last pong 4 s ago',
      '  reconnects      2 in 24 h; last disconnect 1 min 30 s ago, closed with 1012',
      '  poller          paused',
      '  incoming        2 queued (oldest 42 s), 0 set aside, 0 expired in 7 d',
      '  last incoming   7 s ago',
      '  chat.db         read to row 4711, 3 behind',
      '  outgoing        0 queued, 1 scheduled (next in 10 min 0 s)',
      '  last sent       never',
      '  commands        0 waiting',
      '  to deliver      0 acks, 3 events (oldest 5 min 0 s)',
      '  last error      2 h 0 min ago: it went wrong',
      '  memory          72 MB',
      '  monitor         port 3100, 0 connected, 0 authenticated',
    ]);
  });

  test('shows who is connected to the monitor, and nothing for an older agent without it', () => {
    const last = (monitor: unknown) =>
      statusScreen({ ...HEALTHY, monitor } as StatusSnapshot, NOW, PLAIN)
        .at(-1)
        ?.trim();
    expect(last({ port: 3100, connected: 2, authenticated: 1 })).toMatch(
      /^monitor +port 3100, 2 connected, 1 authenticated$/,
    );
    expect(last({ port: null, connected: 0, authenticated: 0 })).toMatch(/^monitor +not served$/);
    expect(last(undefined)).toMatch(/^memory/);
  });

  test('shows pauses first, then each problem with its remedy, within the width of the terminal', () => {
    const message = 'The backend refuses our credentials: closed with 1008 (the signature does not verify).';
    const lines = statusScreen(
      {
        ...HEALTHY,
        state: 'degraded',
        problems: [
          {
            code: 'backend_unauthorised',
            since: earlier(1),
            message,
            remedy: 'Check that EDGE_SECRET is the same here and on the backend; set the clock.',
          },
        ],
        paused: [
          { conversation: '*', reason: 'manual', since: earlier(300), incoming: true },
          { conversation: '+13105551234', reason: 'loop', since: earlier(10), incoming: false },
        ],
      },
      NOW,
      PLAIN,
    );
    expect(lines.slice(0, 9)).toEqual([
      'PAUSED  everything, incoming too (by hand, 5 min 0 s ago); to resume:',
      '        edge-agent resume',
      'PAUSED  +13105551234 (two machines answered each other, 10 s ago); to resume:',
      '        edge-agent resume +13105551234',
      'edge-agent 0.1.0  degraded  up 1 h 1 min  pid 1737',
      '  ✗ The backend refuses our credentials: closed with 1008 (the signature does',
      '    not verify). [backend_unauthorised, since 1 s ago]',
      '    → Check that EDGE_SECRET is the same here and on the backend; set the clock.',
      '  can read        ok – chat.db was read, 1 s ago',
    ]);
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(80);
  });

  test('wraps long values at a terminal, and keeps each on its line when piped', () => {
    const last_disconnect = {
      cause: `closed with 4409 (${'another agent has our id '.repeat(4)})`,
      at: earlier(1),
    };
    const snapshot = { ...HEALTHY, link_detail: { ...HEALTHY.link_detail, last_disconnect } };
    const shown = statusScreen(snapshot, NOW, { ...PLAIN, isTerminal: true, colour: true }).map(
      stripVTControlCharacters,
    );
    for (const line of shown) expect(line.length, line).toBeLessThanOrEqual(80);
    const at = shown.findIndex((line) => line.startsWith('  reconnects'));
    expect(shown[at + 1]).toMatch(/^ {18}\S/);
    const piped = statusScreen(snapshot, NOW, PLAIN);
    expect(piped.find((line) => line.startsWith('  reconnects'))).toContain(last_disconnect.cause);
  });

  test('a command to copy stays on one line, however narrow the terminal', () => {
    const pause = { reason: 'manual', since: new Date(NOW).toISOString(), incoming: false } as const;
    const paused = [{ ...pause, conversation: '+13105551234' }];
    const lines = statusScreen({ ...HEALTHY, paused }, NOW, { ...PLAIN, columns: 36 });
    expect(lines).toContain('        edge-agent resume +13105551234');
  });

  test('is coloured by state where there are colours, with the same words', () => {
    const terminal = { ...PLAIN, colour: true };
    const lines = statusScreen(HEALTHY, NOW, terminal);
    const coloured = lines.map((line) => printable(line, terminal)).join('\n');
    expect(coloured).toContain('\u001b[32mhealthy\u001b[39m');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours themselves
    expect(coloured.replaceAll(/\u001b\[\d+m/g, '')).toBe(statusScreen(HEALTHY, NOW, PLAIN).join('\n'));
  });

  test('is ASCII where the terminal has no UTF-8', () => {
    const problem = { code: 'internal', since: earlier(1), message: 'a – b…', remedy: 'do é' } as const;
    const lines = statusScreen({ ...HEALTHY, problems: [problem] }, NOW, PLAIN);
    const shown = legible(lines.join('\n'), { unicode: false });
    expect(shown).toMatch(/^\p{ASCII}*$/u);
    expect(shown).toContain('  x a - b... [internal, since 1 s ago]\n    -> do ?');
  });

  test('shows the status of an older agent, which lacks the newest keys', () => {
    const { oldest, chatdb, last_error_at, next_scheduled_at, ...old } = HEALTHY;
    const lines = statusScreen(old as StatusSnapshot, NOW, PLAIN);
    expect(lines).toContain('  incoming        2 queued, 0 set aside, 0 expired in 7 d');
    expect(lines).toContain('  last error      it went wrong');
  });
});
