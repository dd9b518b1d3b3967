import type { Topic } from '../model/clientFrames.js';
import { ERROR_CODES } from '../model/errorCodes.js';
import type { NotificationLevel } from '../model/monitorFrames.js';
import type { StatusSnapshot } from '../model/status.js';

/** The topics that the status covers. */
type StatusTopic = Extract<Topic, 'queues' | 'schedule' | 'pauses' | 'problems'>;

/** A report to monitor clients because two snapshots differ. */
export type Change =
  | { kind: 'snapshot' }
  | { kind: 'notification'; level: NotificationLevel; message: string }
  | { kind: 'topic'; topic: StatusTopic };

/** What of a snapshot belongs to which topic: it has changed if the values have. */
const TOPIC_FIELDS: readonly (readonly [StatusTopic, readonly (keyof StatusSnapshot)[]])[] = [
  ['queues', ['incoming_queued', 'incoming_parked', 'sends_queued', 'uploads_queued', 'acks_undelivered']],
  ['schedule', ['scheduled_messages', 'next_scheduled_at']],
  ['pauses', ['paused']],
  ['problems', ['problems']],
];

/** What is different, for those who watch. Pure. */
export function changesOf(before: StatusSnapshot, now: StatusSnapshot): Change[] {
  if (essence(before) === essence(now)) return [];
  const topics = TOPIC_FIELDS.filter(([, fields]) =>
    fields.some((field) => differs(before[field], now[field])),
  );
  return [
    { kind: 'snapshot' },
    ...topics.map(([topic]): Change => ({ kind: 'topic', topic })),
    ...problemChanges(before, now),
  ];
}

function problemChanges(before: StatusSnapshot, now: StatusSnapshot): Change[] {
  const had = new Set(before.problems.map(({ code }) => code));
  const has = new Set(now.problems.map(({ code }) => code));
  const come = now.problems.filter(({ code }) => !had.has(code));
  const gone = before.problems.filter(({ code }) => !has.has(code));
  return [
    ...come.map(
      ({ message, remedy }): Change => ({
        kind: 'notification',
        level: 'error',
        message: [message, remedy].filter((words) => words !== '').join(' '),
      }),
    ),
    ...gone.map(
      ({ code }): Change => ({
        kind: 'notification',
        level: 'success',
        message: `Resolved: ${ERROR_CODES[code]}`,
      }),
    ),
    ...(now.incoming_parked > before.incoming_parked
      ? [
          {
            kind: 'notification',
            level: 'warning',
            message: 'A message was set aside: look at the queue.',
          } as const,
        ]
      : []),
  ];
}

/** A snapshot without the fields that always change; evidence is renewed once a minute. */
function essence(snapshot: StatusSnapshot): string {
  const signs = Object.entries(snapshot.vital_signs).map(([name, { evidence_at: at, ...sign }]) => [
    name,
    sign,
    at === null ? null : Math.floor(Date.parse(at) / 60_000),
  ]);
  return JSON.stringify({ ...snapshot, uptime_seconds: 0, memory_usage_mb: 0, vital_signs: signs });
}

function differs(before: unknown, now: unknown): boolean {
  return JSON.stringify(before) !== JSON.stringify(now);
}
