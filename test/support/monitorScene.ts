import type { TimelineStep } from '../../src/model/operatorApi.js';
import type {
  Bubble,
  CommandDetail,
  CommandEntry,
  Conversation,
  Setting,
  Status,
} from '../../src/monitor-client/index.js';
import type { Play } from './MonitorStage.js';
import { statusFixture, vitalSignsFixture } from './statusFixture.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const START = Date.now();
const ago = (ms: number) => new Date(START - ms).toISOString();

const seen = (evidence: string, ms: number): Status['vital_signs']['can_read'] => ({
  ...{ state: 'ok', evidence, evidence_at: ago(ms), codes: [] },
});
/** As the agent words its evidence. */
const WELL = {
  can_read: seen('chat.db was read', 0),
  can_post: seen('the backend accepted a message', 70_000),
  is_answered: seen('a message was answered', 68_000),
  can_send: seen('a text was sent', 40_000),
  link_stable: seen('a ping was answered', 12_000),
  commands_reach_us: seen('a sync succeeded', 6_000),
  nothing_given_up: seen('nothing is set aside', 0),
};

/** An agent with a past, and with something to look after. */
export const TROUBLED: Status = statusFixture({
  version: '1.0.0',
  agent_id: 'edge_13105550100',
  uptime_seconds: 93_211,
  state: 'degraded',
  problems: [
    {
      code: 'websocket_unavailable',
      since: ago(4 * MINUTE),
      message: 'The real-time link is down; commands come by polling.',
      remedy: 'Check that /edge/ws is served and no proxy refuses WebSockets.',
    },
    {
      code: 'messages_set_aside',
      since: ago(8 * HOUR),
      message: 'The backend refused 2 messages for good; they are set aside and not answered.',
      remedy: 'See why, and retry them: edge-agent queue',
    },
  ],
  vital_signs: vitalSignsFixture({
    ...WELL,
    link_stable: {
      ...{ state: 'failing', evidence: 'the real-time link is down', evidence_at: ago(4 * MINUTE) },
      codes: ['websocket_unavailable'],
    },
    nothing_given_up: {
      ...{ state: 'failing', evidence: '2 messages are set aside', evidence_at: ago(8 * HOUR) },
      codes: ['messages_set_aside'],
    },
  }),
  link: 'polling',
  link_detail: {
    state: 'waiting',
    since: ago(4 * MINUTE),
    attempt: 4,
    last_pong_at: null,
    poller: 'running',
    rtt_ms: 23,
    reconnects_24h: 3,
    next_attempt_at: null,
    last_disconnect: { cause: 'closed by the backend (1006)', at: ago(4 * MINUTE) },
  },
  scheduled_messages: 3,
  next_scheduled_at: ago(-25 * MINUTE),
  commands_waiting: 1,
  acks_undelivered: 0,
  events_undelivered: 0,
  incoming_queued: 0,
  incoming_parked: 2,
  incoming_expired: 0,
  sends_queued: 2,
  sends_held: { new_recipients: 0, per_minute: 0 },
  uploads_queued: 1,
  paused: [{ conversation: '+13105550188', reason: 'loop', since: ago(50 * MINUTE), incoming: false }],
  last_incoming_at: ago(70_000),
  last_sent_at: ago(40_000),
  last_error: null,
  memory_usage_mb: 71,
});

/** An agent that has just been installed. */
export const FRESH: Status = {
  ...TROUBLED,
  ...{
    state: 'healthy',
    problems: [],
    vital_signs: vitalSignsFixture(WELL),
    link: 'realtime',
    paused: [],
    uptime_seconds: 42,
  },
  ...{ scheduled_messages: 0, commands_waiting: 0, incoming_parked: 0, sends_queued: 0, uploads_queued: 0 },
  ...{ next_scheduled_at: null, last_incoming_at: null, last_sent_at: null },
  link_detail: { ...TROUBLED.link_detail, state: 'online', reconnects_24h: 0, last_disconnect: null },
};

const TALK: readonly (readonly [Bubble['direction'], string])[] = [
  ['in', 'can you find me a good deal for a Mac mini?'],
  ['out', 'okie lemme see'],
  ['out', 'found one at $429'],
  ['out', 'want the link?'],
  ['in', 'yes please'],
  ['out', 'here: example.com/mini'],
  ['in', 'you are the best, thank you so much! My old one gave up last week and I was dreading the search'],
];

/** Why a message is in a state that needs a word. */
const WHY: Readonly<Record<string, string>> = {
  failed: 'Messages reported the text as not delivered.',
  parked: 'HTTP 422: filtered_text is too long',
};

function conversation(
  handle: string,
  name: string,
  newest: number,
  count: number,
  more: { paused?: boolean; last?: string } = {},
): (texts: boolean) => Conversation {
  return (texts) => ({
    conversation: handle,
    name,
    paused: more.paused ?? false,
    ...{ waiting: 0, parked: more.last === 'parked' ? 1 : 0, unsent: 0, last_at: ago(newest) },
    messages: TALK.slice(0, count).map(([direction, text], index) => ({
      id: `${handle}${index}`,
      direction,
      sender: direction === 'out' ? 'agent' : name,
      at: ago(newest + (count - index) * 25_000 + (index < 4 ? 40 * MINUTE : 0)),
      state:
        index === count - 1 && more.last !== undefined
          ? more.last
          : direction === 'out'
            ? 'sent'
            : 'answered',
      characters: text.length,
      text: texts ? text : null,
      settled_at: ago(newest),
      ...{ attempts: 1, service: direction === 'out' ? 'iMessage' : null, command_id: null },
      error: index === count - 1 && more.last !== undefined ? (WHY[more.last] ?? null) : null,
    })),
  });
}

const CONVERSATIONS = [
  conversation('+13105551234', '+1•••1234', 40_000, 7),
  conversation('ann@example.com', 'a•••@example.com', 20 * MINUTE, 4),
  conversation('+13105550188', '+1•••0188', 50 * MINUTE, 5, { paused: true, last: 'parked' }),
  conversation('+13105550177', '+1•••0177', 3 * HOUR, 4, { last: 'failed' }),
];

const KINDS = ['send_message_now', 'schedule_message', 'set_rule', 'cancel_scheduled', 'send_message_now'];
const COMMANDS: CommandEntry[] = Array.from({ length: 30 }, (_, index) => {
  const at = ago(index * 7 * MINUTE + 20_000);
  return {
    command_id: `cmd_${(index * 7919 + 4242).toString(16)}a9f2`,
    command_type: KINDS[index % KINDS.length] ?? '',
    via: index % 3 === 0 ? 'http' : 'websocket',
    state: index === 0 ? 'open' : index === 4 ? 'failed' : 'completed',
    received_at: at,
    ...{ acked_at: at, ack_read_at: at, ack_read_via: 'websocket' },
    error: index === 4 ? 'not_delivered: Messages reported the text as not delivered.' : null,
  };
});

const STEPS: readonly (readonly [number, TimelineStep['step'], string])[] = [
  [0, 'received', 'by WebSocket'],
  [3, 'queued', '42 characters to +1•••1234'],
  [4, 'claimed', ''],
  [6, 'handed_over', 'to osascript'],
  [412, 'sent', 'osascript ended'],
  [530, 'confirmed', 'found in chat.db'],
  [531, 'acked', 'completed'],
  [560, 'ack_read', 'by WebSocket'],
];

function commandDetail(id: unknown): CommandDetail {
  const command = COMMANDS.find(({ command_id }) => command_id === id);
  if (command === undefined) throw new Error(`There is no command ${id}.`);
  const start = Date.parse(command.received_at);
  return {
    ...command,
    revision: 1,
    ...{ result: null, schedule: null },
    texts: [
      {
        ...{ conversation: '+1•••1234', name: null, characters: 42, file: null, state: 'sent', attempts: 1 },
        ...{ paused: false, guid: null, service: 'iMessage', error: null },
      },
    ],
    timeline: STEPS.map(([ms, step, detail]) => ({ at: new Date(start + ms).toISOString(), step, detail })),
  };
}

const SETTINGS: Setting[] = (
  [
    [
      'edge.user_phone',
      '+13105550100',
      'file',
      'The phone number that Messages on this Mac receives for. A phone number with country code.',
    ],
    ['backend.url', 'https://backend.example.com', 'file', 'Where the backend is.'],
    [
      'backend.sync_interval_seconds',
      15,
      'remote',
      'How often the agent polls while the real-time link is down.',
    ],
    ['imessage.db_path', '~/Library/Messages/chat.db', 'default', 'Where Messages keeps its database.'],
    ['forward.ignore', [], 'default', 'Nothing from these people is forwarded.'],
    [
      'forward.allow',
      ['+13105551234', 'ann@example.com'],
      'environment',
      'Only messages from these people are forwarded.',
    ],
    ['outgoing.max_per_minute', 30, '.env', 'At most so many texts are sent in a minute.'],
  ] as const
).map(([key, value, source, description]) => ({ key, value, source, description, restart: false }));

const CHECKS = [
  { id: 'full_disk_access', title: 'chat.db can be read', verdict: 'PASS', evidence: 'opened in 3 ms' },
  {
    ...{
      id: 'automation',
      title: 'Messages can be controlled',
      verdict: 'FAIL',
      evidence: 'osascript: -1743',
    },
    remedy: 'Allow it under System Settings → Privacy & Security → Automation.',
  },
  {
    ...{ id: 'sleep', title: 'The Mac does not sleep', verdict: 'WARN', evidence: 'pmset: sleep 10' },
    remedy: 'sudo pmset -a sleep 0',
  },
  { id: 'clock', title: 'The clock is right', verdict: 'PASS', evidence: 'off by 0.2 s' },
  { id: 'send', title: 'A text to your own number', verdict: 'SKIP', evidence: 'not asked for' },
];

const HOURS_AGO = Array.from({ length: 24 }, (_, index) => 23 - index);
const hourAgo = (hours: number) => new Date(Math.floor(START / HOUR) * HOUR - hours * HOUR).toISOString();
const SENDS = HOURS_AGO.map((hours, index) => ({
  from: hourAgo(hours),
  sent: index < 7 ? ([3, 1, 0, 0, 0, 2, 6][index] ?? 0) : Math.round(20 + 18 * Math.sin(index / 2.2)),
  failed: index === 12 ? 3 : index === 18 ? 1 : 0,
  unknown: index === 12 ? 1 : 0,
}));
const SENT = SENDS.reduce((sum, { sent }) => sum + sent, 0);

/** Of a hundred texts; the rest took up to 500 ms. */
const SHARES: readonly (readonly [number | null, number])[] = [
  [250, 16],
  [500, 0],
  [1000, 27],
  [2000, 7],
  [5000, 2],
  [10_000, 1],
  [30_000, 0],
  [60_000, 0],
  [null, 0],
];

/** As many as were sent. */
function buckets() {
  const counts = SHARES.map(([upToMs, share]) => ({ upToMs, count: Math.round((share * SENT) / 100) }));
  const rest = SENT - counts.reduce((sum, { count }) => sum + count, 0);
  return counts.map((bucket) => (bucket.upToMs === 500 ? { ...bucket, count: rest } : bucket));
}

/** What an agent with a past answers. */
export const PAST: Record<string, Play> = {
  'link.history': () => ({
    changes: [
      { at: ago(22 * HOUR), state: 'realtime' },
      { at: ago(15.2 * HOUR), state: 'polling' },
      { at: ago(15 * HOUR), state: 'realtime' },
      { at: ago(9 * HOUR), state: 'offline' },
      { at: ago(8.4 * HOUR), state: 'polling' },
      { at: ago(8.1 * HOUR), state: 'realtime' },
      { at: ago(4 * HOUR), state: 'stopped' },
      { at: ago(3.9 * HOUR), state: 'realtime' },
      { at: ago(4 * MINUTE), state: 'polling' },
    ],
  }),
  conversations: ({ texts }) => CONVERSATIONS.map((made) => made(texts === true)),
  'sends.statistics': () => ({
    hours: SENDS,
    latency: { buckets: buckets(), p50Ms: 412, p95Ms: 1830 },
  }),
  'work.statistics': () => ({
    since: ago(22 * HOUR),
    hours: HOURS_AGO.map((hours, index) => ({
      from: hourAgo(hours),
      received: index < 7 ? ([2, 1, 0, 0, 0, 1, 3][index] ?? 0) : Math.round(11 + 9 * Math.sin(index / 2.3)),
      reconnects: index === 8 || index === 14 || index === 19 ? 1 : 0,
      rttMs: index < 2 ? null : 23 + 8 * Math.sin(index / 1.7) + (index === 14 ? 60 : 0),
    })),
  }),
  'notifications.list': () => [
    {
      at: ago(14 * HOUR),
      level: 'error',
      message: 'The backend cannot be reached. Check network and backend.url.',
    },
    { at: ago(13.9 * HOUR), level: 'success', message: 'Resolved: The backend cannot be reached.' },
    { at: ago(3 * HOUR), level: 'warning', message: 'A text to +1•••0177: Messages did not confirm it.' },
    { at: ago(2 * HOUR), level: 'info', message: 'grace paused sending to +1•••0188.' },
    { at: ago(4 * MINUTE), level: 'error', message: 'The real-time link is down; commands come by polling.' },
  ],
  'commands.list': ({ open }) => COMMANDS.filter(({ state }) => open !== true || state === 'open'),
  'commands.show': ({ id }) => commandDetail(id),
  'schedule.list': ({ texts }) =>
    [25, 130, 26 * 60].map((minutes, index) => ({
      schedule_id: `sch_${index}`,
      command_id: `cmd_${index}`,
      conversation: ['+1•••1234', 'a•••@example.com', 'chat831045551234'][index],
      name: index === 2 ? 'Quimby family' : null,
      send_at: ago(-minutes * MINUTE),
      ...{ status: 'pending', characters: 36, files: index === 1 ? 1 : 0, error: null },
      ...(texts === true ? { text: 'Your appointment is tomorrow at ten.' } : {}),
    })),
  'queue.list': () =>
    [1, 2].map((place) => ({
      guid: `guid-${place}`,
      conversation: `+1•••${place}23${place}`,
      name: null,
      sent_at: ago(place * 5 * HOUR),
      parked_at: ago(place * 4 * HOUR),
      attempts: 3 + place,
      error: 'HTTP 422: filtered_text is too long',
    })),
  'queue.retry': ({ guid }) => [guid],
  'queue.drop': ({ guid }) => [guid],
  'logs.tail': () =>
    Array.from({ length: 60 }, (_, index) => {
      const at = ago((60 - index) * 43_000);
      if (index === 44)
        return { at, level: 'error', message: 'The backend refused a message', fields: { status: '422' } };
      if (index % 17 === 9)
        return { at, level: 'warn', message: 'Real-time link lost; polling', fields: { cause: '1006' } };
      const message = ['📥 A message came in', 'The reply was stored', 'Text sent', 'Command received'][
        index % 4
      ];
      return { at, level: 'info', message, fields: { conversation: '+1•••1234', id: `3F2A-${index}` } };
    }),
  doctor: () => ({ at: ago(3 * HOUR), summary: { PASS: 2, WARN: 1, FAIL: 1, SKIP: 1 }, checks: CHECKS }),
  config: () => SETTINGS,
};

/** What an agent answers that has just been installed. */
export const NOTHING_YET: Record<string, Play> = {
  ...Object.fromEntries(
    ['conversations', 'commands.list', 'schedule.list', 'queue.list', 'logs.tail', 'notifications.list'].map(
      (verb) => [verb, () => []],
    ),
  ),
  'link.history': () => ({ changes: [] }),
  'work.statistics': () => ({
    since: ago(42_000),
    hours: [{ from: ago(42_000), received: 0, reconnects: 0, rttMs: null }],
  }),
  'sends.statistics': () => ({
    hours: [{ from: ago(HOUR), sent: 0, failed: 0, unknown: 0 }],
    latency: { buckets: [], p50Ms: null, p95Ms: null },
  }),
  doctor: () => ({ at: null }),
  config: () => SETTINGS,
};

/** What is said to each client at once. */
export function greeting(status: Status): object[] {
  const presence = [
    { userId: 'ada', status: 'online' },
    { userId: 'grace', status: 'busy' },
  ];
  const doing = { state: 'working', currentTask: 'Sending 2 texts', progress: 60 };
  return [
    {
      type: 'agent_status',
      data: { agentName: 'edge_13105550100', ...(status === FRESH ? { state: 'idle' } : doing) },
    },
    { type: 'snapshot', data: { status, presence } },
  ];
}
