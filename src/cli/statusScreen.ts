import type { StatusSnapshot } from '../status/snapshot.js';

const LINK_WORDS: Readonly<Record<StatusSnapshot['link'], string>> = {
  realtime: 'real-time (WebSocket)',
  polling: 'HTTP polling',
  offline: 'offline',
};

/** The snapshot for a person, line by line: what is wrong and what to do first, then every number with its age. */
export function statusScreen(snapshot: StatusSnapshot, now: number, colour: boolean): string[] {
  const paint = (code: number, text: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const healthy = snapshot.state === 'healthy';
  const link = snapshot.link_detail;
  const state = paint(healthy ? 32 : 31, snapshot.state);
  const problems = snapshot.problems.flatMap(({ code, since, message, remedy }) => [
    `  ${paint(31, '✗')} ${message} [${code}, since ${ago(since, now)}]`,
    `    → ${remedy}`,
  ]);
  return [
    `edge-agent ${snapshot.version}  ${state}  up ${duration(snapshot.uptime_seconds)}  pid ${snapshot.pid}`,
    ...problems,
    row('agent id', snapshot.agent_id ?? 'not registered yet'),
    row('link', `${LINK_WORDS[snapshot.link]} – ${link.state} since ${ago(link.since, now)}`),
    row('round trip', link.rtt_ms === null ? '–' : `${Math.round(link.rtt_ms)} ms`),
    row('last pong', ago(link.last_pong_at, now)),
    row('reconnects', `${link.reconnects_24h} in 24 h`),
    row('next attempt', link.next_attempt_at === null ? '–' : `in ${until(link.next_attempt_at, now)}`),
    row('poller', link.poller),
    row(
      'last disconnect',
      link.last_disconnect === null
        ? 'none'
        : `${link.last_disconnect.cause}, ${ago(link.last_disconnect.at, now)}`,
    ),
    row(
      'incoming',
      `${snapshot.incoming_queued} queued, ${snapshot.incoming_parked} parked, ${snapshot.incoming_expired} expired`,
    ),
    row('last incoming', ago(snapshot.last_incoming_at, now)),
    row('outgoing', `${snapshot.sends_queued} queued, ${snapshot.scheduled_messages} scheduled`),
    ...heldRow(snapshot.sends_held),
    row('last sent', ago(snapshot.last_sent_at, now)),
    ...(snapshot.paused.length === 0 ? [] : [row('paused', snapshot.paused.map(pausedWords).join('; '))]),
    row('commands', `${snapshot.commands_waiting} waiting`),
    row('to deliver', `${snapshot.acks_undelivered} acks, ${snapshot.events_undelivered} events`),
    row('last error', snapshot.last_error ?? 'none'),
    row('memory', `${snapshot.memory_usage_mb} MB`),
  ];
}

function pausedWords({ conversation, reason }: StatusSnapshot['paused'][number]): string {
  return `${conversation === '*' ? 'everything' : conversation} (${reason})`;
}

function heldRow(held: StatusSnapshot['sends_held']): string[] {
  const words = [
    ...(held.new_recipients === 0
      ? []
      : [`${held.new_recipients} to new people (outgoing.max_new_recipients_per_hour)`]),
    ...(held.per_minute === 0 ? [] : [`${held.per_minute} too fast (outgoing.max_per_minute)`]),
  ];
  return words.length === 0 ? [] : [row('held back', words.join(', '))];
}

function row(name: string, value: string): string {
  return `  ${name.padEnd(16)}${value}`;
}

function ago(iso: string | null, now: number): string {
  if (iso === null) return 'never';
  return `${duration(Math.max(0, (now - Date.parse(iso)) / 1000))} ago`;
}

function until(iso: string, now: number): string {
  return duration(Math.max(0, (Date.parse(iso) - now) / 1000));
}

/** Seconds in the two largest units that say something: 42 s, 5 min 3 s, 2 h 10 min, 3 d 4 h. */
export function duration(seconds: number): string {
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`;
}
