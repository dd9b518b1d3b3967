import type { StatusSnapshot } from '../../model/status.js';
import { VITAL_SIGNS, type VitalSignName } from '../../model/vitalSignNames.js';
import { ago, duration, since, until } from '../../system/time.js';
import { upgradeRemedy } from '../../system/upgradeRemedy.js';
import { entryLines, paint, type Style, type Terminal, wrap } from '../terminal.js';

const LINK_WORDS: Readonly<Record<StatusSnapshot['link'], { words: string; style: Style }>> = {
  realtime: { words: 'real-time (WebSocket)', style: 'green' },
  polling: { words: 'HTTP polling', style: 'yellow' },
  offline: { words: 'offline', style: 'red' },
};

const REASONS: Readonly<Record<Pause['reason'], string>> = {
  manual: 'by hand',
  operator: 'a person answered there',
  loop: 'two machines answered each other',
};

type Pause = NonNullable<StatusSnapshot['paused']>[number];

type Backlog = keyof StatusSnapshot['oldest'];

/**
 * The snapshot as text, line by line: pauses, then problems and remedies, then the vital signs, then every number with
 * its age. A snapshot of an older agent, which lacks the newest keys, is shown without them.
 */
export function statusScreen(snapshot: StatusSnapshot, now: number, terminal: Terminal): string[] {
  const isHealthy = snapshot.state === 'healthy';
  const state = paint(terminal, isHealthy ? 'green' : 'red', snapshot.state);
  return [
    ...pausedLines(snapshot, now, terminal),
    `edge-agent ${snapshot.version}  ${state}  up ${duration(snapshot.uptime_seconds)}  pid ${snapshot.pid}`,
    ...snapshot.problems.flatMap((problem) => problemLines(problem, now, terminal)),
    ...[...signRows(snapshot, now, terminal), ...rows(snapshot, now, terminal)].flatMap(([name, value]) =>
      entryLines(value, terminal, `  ${name.padEnd(16)}`, ' '.repeat(18)),
    ),
  ];
}

function pausedLines({ paused }: StatusSnapshot, now: number, terminal: Terminal): string[] {
  if (paused === null) {
    const words = 'NOT KNOWN  what is paused and what waits: the store cannot be read';
    return wrap(words, terminal.columns, '', '        ').map((line) => paint(terminal, 'yellow', line));
  }
  return paused.flatMap(({ conversation, reason, since: at, incoming }) => {
    const where = conversation === '*' ? 'everything' : conversation;
    const what = incoming === true ? `${where}, incoming too` : where;
    const resume = conversation === '*' ? 'edge-agent resume' : `edge-agent resume ${conversation}`;
    const words = `PAUSED  ${what} (${REASONS[reason]}, ${ago(at, now)}); to resume:`;
    // The command is on its own line and complete, so that it can be copied.
    const lines = [...wrap(words, terminal.columns, '', '        '), `        ${resume}`];
    return lines.map((line) => paint(terminal, 'yellow', line));
  });
}

function problemLines(
  { code, since: at, message, remedy }: StatusSnapshot['problems'][number],
  now: number,
  terminal: Terminal,
): string[] {
  const [head = '', ...more] = wrap(
    `${message} [${code}, since ${ago(at, now)}]`,
    terminal.columns,
    '  ✗ ',
    '    ',
  );
  const todo = remedy === '' ? [] : wrap(remedy, terminal.columns, '    → ', '      ');
  return [head.replace('✗', paint(terminal, 'red', '✗')), ...more, ...todo];
}

const SIGN_STATES: Readonly<
  Record<StatusSnapshot['vital_signs'][VitalSignName]['state'], { words: string; style: Style }>
> = {
  ok: { words: 'ok', style: 'green' },
  failing: { words: 'failing', style: 'red' },
  not_yet_known: { words: 'not yet known', style: 'yellow' },
};

function signRows({ vital_signs }: StatusSnapshot, now: number, terminal: Terminal): [string, string][] {
  const signs = Object.entries(vital_signs ?? {}) as [
    VitalSignName,
    StatusSnapshot['vital_signs'][VitalSignName],
  ][];
  return signs.map(([name, { state, evidence, evidence_at: at, codes }]) => {
    const { words, style } = SIGN_STATES[state];
    const age = at === null ? '' : ` for ${since(at, now)}`;
    const more = {
      ok: `${evidence}${isNow(at, now) ? '' : `, ${ago(at, now)}`}`,
      failing: `${codes.join(', ')}${age}`,
      not_yet_known: evidence,
    };
    return [VITAL_SIGNS[name], `${paint(terminal, style, words)} – ${more[state]}`];
  });
}

/** What was seen for this very answer: its age would say nothing. */
function isNow(at: string | null, now: number): boolean {
  return at === null || now - Date.parse(at) < 1000;
}

function rows(snapshot: StatusSnapshot, now: number, terminal: Terminal): [string, string][] {
  const link = snapshot.link_detail;
  const { words, style } = LINK_WORDS[snapshot.link];
  const waiting = (count: number, what: string, kind: Backlog) => {
    const oldest = snapshot.oldest?.[kind] ?? null;
    return `${count} ${what}${oldest === null ? '' : ` (oldest ${since(oldest, now)})`}`;
  };
  const warn = (count: number, text: string) => (count > 0 ? paint(terminal, 'yellow', text) : text);
  const rtt = link.rtt_ms === null ? '–' : `${Math.round(link.rtt_ms)} ms`;
  const next = snapshot.next_scheduled_at ?? null;
  const deadLetters = warn(
    snapshot.incoming_parked,
    waiting(snapshot.incoming_parked, 'set aside', 'incoming_parked'),
  );
  return [
    ['agent id', snapshot.agent_id ?? 'not registered yet'],
    ['link', `${paint(terminal, style, words)} – ${link.state} for ${since(link.since, now)}`],
    ['round trip', `${rtt}, last pong ${ago(link.last_pong_at, now)}`],
    ['reconnects', `${link.reconnects_24h} in 24 h; last disconnect ${lastDisconnect(link, now)}`],
    ...(link.next_attempt_at === null
      ? []
      : [
          ['next attempt', `number ${link.attempt}, in ${until(link.next_attempt_at, now)}`] as [
            string,
            string,
          ],
        ]),
    ['poller', link.poller],
    [
      'incoming',
      `${waiting(snapshot.incoming_queued, 'queued', 'incoming_queued')}, ${deadLetters}, ${snapshot.incoming_expired} expired in 7 d`,
    ],
    ...imagesRow(snapshot, waiting),
    ['last incoming', ago(snapshot.last_incoming_at, now)],
    ...chatdbRow(snapshot),
    [
      'outgoing',
      `${waiting(snapshot.sends_queued, 'queued', 'sends_queued')}, ${snapshot.scheduled_messages} scheduled${next === null ? '' : ` (next in ${until(next, now)})`}`,
    ],
    ...heldRow(snapshot.sends_held),
    ['last sent', ago(snapshot.last_sent_at, now)],
    ['commands', waiting(snapshot.commands_waiting, 'waiting', 'commands_waiting')],
    [
      'to deliver',
      `${waiting(snapshot.acks_undelivered, 'acks', 'acks_undelivered')}, ${waiting(snapshot.events_undelivered, 'events', 'events_undelivered')}`,
    ],
    ['last error', lastError(snapshot, now)],
    ...(snapshot.derived_settings ?? []).map((words): [string, string] => ['derived', words]),
    ['memory', `${snapshot.memory_usage_mb} MB`],
    ...updateRow(snapshot),
    ...monitorRow(snapshot),
  ];
}

function lastDisconnect({ last_disconnect: last }: StatusSnapshot['link_detail'], now: number): string {
  return last === null ? 'none' : `${ago(last.at, now)}, ${last.cause}`;
}

function lastError({ last_error: error, last_error_at: at }: StatusSnapshot, now: number): string {
  if (error === null) return 'none';
  return at === null || at === undefined ? error : `${ago(at, now)}: ${error}`;
}

function imagesRow(
  { uploads_queued: count }: StatusSnapshot,
  waiting: (count: number, what: string, kind: Backlog) => string,
): [string, string][] {
  return count > 0 ? [['images', waiting(count, 'to upload', 'uploads_queued')]] : [];
}

function chatdbRow({ chatdb }: StatusSnapshot): [string, string][] {
  if (chatdb === undefined || chatdb.row_id === null) return [];
  const behind = chatdb.rows_behind === null ? 'cannot be read' : `${chatdb.rows_behind} behind`;
  return [['chat.db', `read to row ${chatdb.row_id}, ${behind}`]];
}

function monitorRow({ monitor }: StatusSnapshot): [string, string][] {
  if (monitor === undefined) return [];
  const { port, connected, authenticated } = monitor;
  const words =
    port === null ? 'not served' : `port ${port}, ${connected} connected, ${authenticated} authenticated`;
  return [['monitor', words]];
}

function updateRow({ version, update }: StatusSnapshot): [string, string][] {
  if (update === undefined) return [];
  return [['update', `${update.version} is available; you run ${version}. ${upgradeRemedy(update.version)}`]];
}

function heldRow(held: StatusSnapshot['sends_held']): [string, string][] {
  const words = [
    ...(held.new_recipients === 0
      ? []
      : [`${held.new_recipients} to new people (outgoing.max_new_recipients_per_hour)`]),
    ...(held.per_minute === 0 ? [] : [`${held.per_minute} too fast (outgoing.max_per_minute)`]),
  ];
  return words.length === 0 ? [] : [['held back', words.join(', ')]];
}
