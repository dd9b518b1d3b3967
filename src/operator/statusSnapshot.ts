import type { Backend } from '../backend/Backend.js';
import type { LinkView } from '../backend/view.js';
import type { SendHealth } from '../health/SendHealth.js';
import type { MessageDispatcher } from '../incoming/MessageDispatcher.js';
import { maskHandle } from '../logging/mask.js';
import type { ChatDb } from '../messages/chatdb/ChatDb.js';
import type { IncomingReader } from '../messages/chatdb/IncomingReader.js';
import type { Problem } from '../model/problem.js';
import type { StatusSnapshot } from '../model/status.js';
import type { Outgoing } from '../outgoing/Outgoing.js';
import { EVERY_CONVERSATION, type Pause } from '../store/conversations.js';
import type { lookIntoStore } from '../store/lookIntoStore.js';
import type { Store } from '../store/Store.js';
import { describeLosses } from '../store/salvage/report.js';
import type { SetAsideItem } from '../store/setAsideItem.js';
import { residentMegabytes } from '../system/residentMemory.js';
import { iso, isoOrNull } from '../system/time.js';
import { packageVersion } from '../system/version.js';
import { heldBy } from './problemMeanings.js';
import type { Standstills } from './Standstills.js';
import { idleSigns, type VitalFacts, vitalSigns } from './vitalSigns.js';

/** What happened last, for the status. Unix ms. */
export interface Activity {
  incomingAt: number | null;
  sentAt: number | null;
  error: string | null;
  errorAt: number | null;
}

interface SnapshotSources {
  version: string;
  startedAt: number;
  now: number;
  backend: Backend;
  chatDb: ChatDb;
  reader: IncomingReader;
  store: Store;
  sendHealth: SendHealth;
  outgoing: Outgoing;
  automation: { fault(): Problem<number> | undefined };
  supervision: { fault(): Problem<number> | undefined; stall(): Problem<number> | undefined };
  activity: Activity;
  forwarder: MessageDispatcher;
  /** How long what waits has waited for nothing; looked at with each snapshot. */
  standstills: Standstills;
  /** Whether images are uploaded at all. */
  uploadsEnabled: boolean;
  websocketEnabled: boolean;
  monitoring: { fault(): Problem<number> | undefined; view(): StatusSnapshot['monitor'] };
  continuity: { faults(): readonly Problem<number>[] };
  health: { faults(): readonly Problem<number>[]; update(): StatusSnapshot['update'] };
  /** Since when the agent is stopping, Unix ms; undefined while it is not. */
  stoppingSince: number | undefined;
  /** When chat.db was last read, Unix ms; null: not since the start. */
  chatDbReadAt: number | null;
  /** Since when chat.db cannot be read, Unix ms. */
  chatDbLostAt: number;
  configFaults: readonly Problem<number>[];
  derivedSettings: readonly string[];
  /** What restarts this process, as a sentence. */
  restart: string;
}

const STORE_REMEDY = {
  disk_full: 'Free space on the disk of state.directory; the agent recovers on its own.',
  store_damaged:
    'Restart the agent: it sets the damaged store aside and continues with what can still be read.',
  state_moved:
    'Put the state directory back; the agent recovers on its own. To start with an empty one, restart the agent.',
  state_unwritable:
    'Stop other programs that have edge-agent.db open, or check the disk and the permissions of state.directory; the agent recovers on its own.',
} as const;

/** Asks every room how it is. Every figure is counted when asked; nothing is remembered for it. */
export function statusSnapshot(sources: SnapshotSources): StatusSnapshot {
  const { backend, store, reader, activity, now } = sources;
  const view = backend.view();
  const judged = vitalSigns(vitalFacts(sources, view));
  const update = sources.health.update();
  const problems = judged.problems.map(
    ({ code, since, message, remedy }): Problem => ({ code, since: iso(since), message, remedy }),
  );
  return {
    schema: 1,
    version: sources.version,
    agent_id: backend.agentId(),
    pid: process.pid,
    uptime_seconds: Math.round((now - sources.startedAt) / 1000),
    state: problems.length === 0 ? 'healthy' : 'degraded',
    problems,
    vital_signs: judged.signs,
    link: linkWord(view, backend.reachable()),
    link_detail: {
      state: view.state,
      since: iso(view.since),
      attempt: view.attempt,
      rtt_ms: view.rttMs,
      last_pong_at: isoOrNull(view.lastPongAt),
      reconnects_24h: view.reconnects24h,
      next_attempt_at: isoOrNull(view.nextAttemptAt),
      poller: view.poller,
      last_disconnect:
        view.lastDisconnect === undefined
          ? null
          : { cause: view.lastDisconnect.cause, at: iso(view.lastDisconnect.at) },
    },
    scheduled_messages: store.schedule.pendingCount(),
    commands_waiting: store.commands.countWaiting(),
    acks_undelivered: store.acks.count(),
    events_undelivered: store.events.count(),
    incoming_queued: store.incoming.countOpen(),
    incoming_parked: store.deadLetters.count(),
    incoming_expired: store.incoming.expired().count,
    sends_queued: store.sends.countOpen(),
    sends_held: heldTexts(sources.outgoing.held()),
    uploads_queued: store.uploads.countWaiting(),
    incoming_left_out: { ...reader.skipped() },
    decode_fallbacks: reader.damagedBodies(),
    paused: store.pauses.list().map(pauseEntry),
    last_incoming_at: isoOrNull(activity.incomingAt),
    last_sent_at: isoOrNull(activity.sentAt),
    last_error: activity.error,
    last_error_at: isoOrNull(activity.errorAt),
    next_scheduled_at: isoOrNull(store.schedule.nextDueAt() ?? null),
    oldest: mapValues(store.backlog.oldest(), isoOrNull),
    derived_settings: [...sources.derivedSettings],
    chatdb: readingPosition(sources.chatDb, store),
    ...(update === undefined ? {} : { update }),
    memory_usage_mb: residentMegabytes(),
    monitor: sources.monitoring.view(),
  };
}

/** What an agent that does nothing knows: what keeps it, and what its store says; undefined: it cannot be read. */
interface Idle {
  readonly startedAt: number;
  readonly now: number;
  readonly problems: readonly Problem[];
  readonly store: ReturnType<typeof lookIntoStore>;
}

/** The status of an agent of this process that does nothing. Unix ms. */
export function idleStatus({ startedAt, now, problems, store }: Idle): StatusSnapshot {
  const insight = store === 'none' ? undefined : store;
  const [first] = problems;
  return {
    schema: 1,
    version: packageVersion(),
    agent_id: null,
    pid: process.pid,
    uptime_seconds: Math.round((now - startedAt) / 1000),
    state: 'degraded',
    problems: [...problems],
    vital_signs: idleSigns(problems, 'the agent has not started'),
    link: 'offline',
    link_detail: {
      state: 'idle',
      since: new Date(startedAt).toISOString(),
      attempt: 0,
      rtt_ms: null,
      last_pong_at: null,
      reconnects_24h: 0,
      next_attempt_at: null,
      poller: 'off',
      last_disconnect: null,
    },
    ...(insight?.counts ?? NOTHING_WAITS),
    sends_held: { new_recipients: 0, per_minute: 0 },
    incoming_left_out: {},
    decode_fallbacks: 0,
    paused: store === undefined ? null : (insight?.pauses ?? []).map(pauseEntry),
    last_incoming_at: null,
    last_sent_at: null,
    last_error: first?.message ?? null,
    last_error_at: first?.since ?? null,
    next_scheduled_at: isoOrNull(insight?.nextScheduledAt ?? null),
    oldest: mapValues(insight?.oldest ?? NO_OLDEST, isoOrNull),
    derived_settings: [],
    chatdb: { row_id: null, rows_behind: null },
    memory_usage_mb: residentMegabytes(),
    monitor: { port: null, connected: 0, authenticated: 0 },
  };
}

const NOTHING_WAITS = {
  scheduled_messages: 0,
  commands_waiting: 0,
  acks_undelivered: 0,
  events_undelivered: 0,
  incoming_queued: 0,
  incoming_parked: 0,
  incoming_expired: 0,
  sends_queued: 0,
  uploads_queued: 0,
};

const NO_OLDEST = {
  commands_waiting: null,
  acks_undelivered: null,
  events_undelivered: null,
  incoming_queued: null,
  incoming_parked: null,
  sends_queued: null,
  uploads_queued: null,
};

function pauseEntry({ since, ...pause }: Pause) {
  return { ...pause, since: iso(since) };
}

function vitalFacts(sources: SnapshotSources, view: LinkView): VitalFacts {
  const { now, store, forwarder, activity, sendHealth, standstills, uploadsEnabled } = sources;
  const { history } = forwarder;
  const problems = faults(sources, view.problems);
  const held = heldBy(problems);
  const { row_id: rowId, rows_behind: rowsBehind } = readingPosition(sources.chatDb, store);
  const posts = store.backlog.posts();
  const dueAt = store.schedule.nextDueAt() ?? null;
  const stands = standstills.look({
    reading: { waits: (rowsBehind ?? 0) > 0, isHeld: held.reading, mark: rowId },
    posts: { waits: posts.failed > 0, isHeld: held.posting, mark: history.answeredAt },
    acks: { waits: doAcksWait(store, view), isHeld: held.posting, mark: store.acks.readAt },
    uploads: {
      waits: uploadsEnabled && doUploadsWait(store),
      isHeld: held.uploading,
      mark: store.uploads.doneAt,
    },
    schedule: { waits: dueAt !== null && dueAt <= now, isHeld: held.storing, mark: dueAt },
  });
  return {
    now,
    restart: sources.restart,
    problems,
    reading: { readAt: sources.chatDbReadAt, rowsBehind, standstill: stands.reading },
    posts: {
      answeredAt: history.answeredAt,
      takenAt: history.takenAt,
      failing: history.failing,
      waiting: posts.waiting,
      failed: posts,
      standstill: stands.posts,
    },
    sending: {
      sentAt: activity.sentAt,
      failing: sendHealth.failing(),
      undecided: sources.outgoing.undecided(),
      overdue: stands.schedule && { ...stands.schedule, since: dueAt ?? now },
    },
    link: {
      isWanted: sources.websocketEnabled,
      isLive: view.isLive,
      pongAt: view.lastPongAt,
      syncAt: view.seen.syncAt,
    },
    acks: stands.acks,
    uploads: stands.uploads,
    givenUp: { messages: store.incoming.expired(), images: store.uploads.countGivenUp() },
    setAside: { messages: store.deadLetters.count(), since: store.deadLetters.since() },
  };
}

/** Refused ones have a separate problem, unless those of several commands were refused and none was read since. */
function doAcksWait({ acks }: Store, { refusedAcks }: LinkView): boolean {
  if (acks.count() > refusedAcks.count) return true;
  return refusedAcks.commands > 1 && (acks.readAt ?? 0) < (refusedAcks.since ?? 0);
}

/** One alone is at fault itself if another one was taken since it waits. */
function doUploadsWait({ backlog, uploads }: Store): boolean {
  const { waiting, since } = backlog.uploads();
  if (waiting === 1 && (uploads.doneAt ?? 0) >= (since ?? 0)) return false;
  return waiting > 0;
}

function faults(sources: SnapshotSources, ofBackend: readonly Problem<number>[]): Problem<number>[] {
  const { chatDb, sendHealth, supervision, store, reader, chatDbLostAt, stoppingSince } = sources;
  const access = chatDb.access();
  const permission = sources.automation.fault();
  const sending = permission ?? sendHealth.fault() ?? supervision.fault();
  const stall = supervision.stall();
  const storing = store.fault();
  // Where the store takes nothing, it is said already why nothing is taken in.
  const reading = storing === undefined ? reader.fault() : undefined;
  const monitor = sources.monitoring.fault();
  return [
    ...(stoppingSince === undefined
      ? []
      : [
          {
            code: 'stopping' as const,
            since: stoppingSince,
            message: 'The agent is stopping: it finishes what is in progress and starts nothing new.',
            remedy: 'This takes 25 s at most. A service is started again, unless it was stopped on purpose.',
          },
        ]),
    ...(access.ok ? [] : [{ ...access, since: chatDbLostAt }]),
    // Where the store says the same of the same disk, once is enough.
    ...sendHealth.machineFaults().filter(({ code }) => code !== storing?.code && code !== permission?.code),
    ...(sending === undefined ? [] : [sending]),
    ...(stall === undefined ? [] : [stall]),
    ...(reading === undefined
      ? []
      : [
          {
            code: 'internal' as const,
            since: reading.since,
            message: `Nothing new is read from chat.db: ${reading.error}. The agent retries every second.`,
            remedy: 'Report it with the log lines around it.',
          },
        ]),
    ...(storing === undefined
      ? []
      : [
          {
            ...storing,
            message: `The store cannot be written: ${storing.message}. Nothing new is accepted.`,
            remedy: STORE_REMEDY[storing.code],
          },
        ]),
    ...(store.salvaged === undefined
      ? []
      : [
          {
            code: 'store_damaged' as const,
            since: store.salvaged.at,
            message: `The store was damaged; it was set aside as ${store.salvaged.aside} and replaced by what could be read. ${describeLosses(store.salvaged)}`,
            remedy: `Check the disk. Schedule again what is not sent. Then restart the agent; this notice ends with that. ${sources.restart}`,
          },
        ]),
    ...sources.continuity.faults(),
    ...sources.configFaults,
    ...(monitor === undefined ? [] : [monitor]),
    ...sources.health.faults(),
    ...pauseFaults(store.pauses.list()),
    ...setAsideFaults(store.setAside.recent(MOST_SHOWN)),
    ...ofBackend,
  ];
}

/** More are counted as so many: what is wrong shows in the newest. */
const MOST_SHOWN = 100;

/** Items that could not be worked on within a day. */
function setAsideFaults(items: readonly SetAsideItem[]): Problem<number>[] {
  const [newest] = items;
  const oldest = items.at(-1);
  if (newest === undefined || oldest === undefined) return [];
  const count =
    items.length === 1
      ? `One item (a ${newest.kind})`
      : `${items.length} items (the newest a ${newest.kind})`;
  return [
    {
      code: 'item_set_aside',
      since: oldest.at,
      message: `${count} could not be processed and ${items.length === 1 ? 'was' : 'were'} set aside: ${newest.error}. Everything else continues.`,
      remedy:
        'Report it with the log lines around it; a message is posted again with: edge-agent queue retry <guid>. This notice ends after a day.',
    },
  ];
}

/** A pause for an operator's answer is as it should be; a loop, and a stop of everything, are to be looked after. */
function pauseFaults(pauses: readonly Pause[]): Problem<number>[] {
  const everything = pauses.find(({ conversation }) => conversation === EVERY_CONVERSATION);
  const loops = pauses.filter(({ reason }) => reason === 'loop');
  return [
    ...(everything === undefined
      ? []
      : [
          {
            code: 'sending_paused' as const,
            since: everything.since,
            message: 'Sending is paused: texts wait.',
            remedy: 'To send them: edge-agent resume',
          },
        ]),
    ...loops.map(({ conversation, since }) => ({
      code: 'sending_paused' as const,
      since,
      message: `The agent and ${maskHandle(conversation)} answered each other as machines do; texts wait there now.`,
      remedy:
        'Find out who answers at the other end, then: edge-agent resume <conversation> (edge-agent status --json names it under "paused").',
    })),
  ];
}

function heldTexts({ newRecipients, perMinute }: ReturnType<Outgoing['held']>): StatusSnapshot['sends_held'] {
  return { new_recipients: newRecipients, per_minute: perMinute };
}

/** How far chat.db was read. */
function readingPosition(chatDb: ChatDb, store: Store): StatusSnapshot['chatdb'] {
  const rowId = store.cursor.get()?.rowId ?? null;
  const newest = chatDb.highestRowId();
  const isKnown = rowId !== null && newest !== null;
  return { row_id: rowId, rows_behind: isKnown ? Math.max(0, newest - rowId) : null };
}

function mapValues<Key extends string, From, To>(
  record: Readonly<Record<Key, From>>,
  change: (value: From) => To,
): Record<Key, To> {
  const entries = Object.entries(record) as [Key, From][];
  return Object.fromEntries(entries.map(([key, value]) => [key, change(value)])) as Record<Key, To>;
}

/** By which way the backend is reached now. The last words of an agent that stops go by one of them too. */
export function linkWord({ isLive, state, poller }: LinkView, reachable: boolean): StatusSnapshot['link'] {
  if (isLive) return 'realtime';
  return (poller === 'running' || state === 'draining') && reachable ? 'polling' : 'offline';
}
