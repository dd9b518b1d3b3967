import type { ErrorCode } from '../model/errorCodes.js';
import type { Problem } from '../model/problem.js';
import { VITAL_SIGNS, type VitalSignName } from '../model/vitalSignNames.js';
import type { PostFailures, SendFailures, VitalSigns } from '../model/vitalSigns.js';
import { iso } from '../system/time.js';
import { heldBy, signsOf } from './problemMeanings.js';
import type { Standstill } from './Standstills.js';

/** What was seen, and when (Unix ms). */
interface Evidence {
  readonly what: string;
  readonly at: number;
}

/** Everything that the vital signs are judged by. Instants are Unix ms; null: it has not happened since the start. */
export interface VitalFacts {
  readonly now: number;
  /** What restarts this process, as a sentence. */
  readonly restart: string;
  /** What the rooms themselves know to be wrong, the cause before its consequences. */
  readonly problems: readonly Problem<number>[];
  readonly reading: {
    /** When chat.db was last read. */
    readonly readAt: number | null;
    readonly rowsBehind: number | null;
    /** Of rows that are not read. */
    readonly standstill: Standstill | null;
  };
  readonly posts: {
    readonly answeredAt: number | null;
    /** When the backend last took a message, whatever it answered. */
    readonly takenAt: number | null;
    /** Posts in a row without an answer. */
    readonly failing: PostFailures | null;
    /** Messages that wait to be answered, and that no pause holds. */
    readonly waiting: number;
    /** Those of them of which a post has failed: in so many conversations, and since when the oldest waits. */
    readonly failed: { readonly conversations: number; readonly since: number | null };
    /** Of the failed ones. */
    readonly standstill: Standstill | null;
  };
  readonly sending: {
    readonly sentAt: number | null;
    /** Texts in a row that were not sent, or of which that is not known. */
    readonly failing: SendFailures | null;
    /** Texts that chat.db does not show as sent or unsent, and since when they wait for that. */
    readonly undecided: { readonly texts: number; readonly since: number };
    /** Of a scheduled text that is due; `since` when it was. */
    readonly overdue: Standstill | null;
  };
  readonly link: {
    readonly isWanted: boolean;
    readonly isLive: boolean;
    readonly pongAt: number | null;
    readonly syncAt: number | null;
  };
  /** Of acks that the backend has not read, and of images that it does not have. */
  readonly acks: Standstill | null;
  readonly uploads: Standstill | null;
  readonly setAside: { readonly messages: number; readonly since: number | null };
  /**
   * What ended within 7 days and is tried no more: messages that were past their age before the backend answered them, the newest
   * given up then, and images.
   */
  readonly givenUp: {
    readonly messages: { readonly count: number; readonly newestAt: number | null };
    readonly images: number;
  };
}

interface Judged {
  readonly signs: VitalSigns;
  readonly problems: readonly Problem<number>[];
}

const MINUTE_MS = 60_000;
/** What was seen longer ago shows no more how it is. */
const EVIDENCE_LASTS_MS = 60 * MINUTE_MS;
/** A hiccup is over by then. */
const POSTS_FAIL_AFTER_MS = MINUTE_MS;
/** The same where one conversation alone fails while others were answered: that is more likely its own fault. */
const LONE_POSTS_FAIL_AFTER_MS = 10 * MINUTE_MS;
const REJECTED_FROM = 3;
/** One person's message, and one number that cannot be reached, are not the agent's or the backend's fault. */
const CONVERSATIONS_FROM = 2;
const READING_STUCK_MS = 2 * MINUTE_MS;
const ACKS_UNREAD_MS = 10 * MINUTE_MS;
const UPLOADS_STUCK_MS = 60 * MINUTE_MS;
const OVERDUE_MS = 2 * MINUTE_MS;
/** Messages needs milliseconds to finish a row. */
const UNDECIDED_MS = MINUTE_MS / 4;
const SENDS_FAIL_FROM = 3;
/** So long a loss is shown. */
const LOSS_SHOWN_MS = 24 * 60 * MINUTE_MS;

/**
 * The only judgement of the agent's health: all problems, and each vital sign with its evidence. Pure. A sign fails
 * exactly when it has a problem, and is known only by evidence; the absence of faults is not evidence.
 */
export function vitalSigns(facts: VitalFacts): Judged {
  const problems = [...facts.problems, ...found(facts)];
  return { signs: signsBy(problems, (name) => EVIDENCE[name](facts)), problems };
}

/** The vital signs of an agent that has not begun its job: `problems` keep it from that, and `why` says what it waits for. */
export function idleSigns(problems: readonly Problem[], why: string): VitalSigns {
  const dated = problems.map((problem) => ({ ...problem, since: Date.parse(problem.since) }));
  return signsBy(dated, () => why);
}

function signsBy(
  problems: readonly Problem<number>[],
  evidence: (name: VitalSignName) => Evidence | string,
): VitalSigns {
  const entries = (Object.keys(VITAL_SIGNS) as VitalSignName[]).map((name) => {
    const own = problems.filter(({ code }) => signsOf(code).includes(name));
    return [name, own.length > 0 ? failing(own) : known(evidence(name))] as const;
  });
  return Object.fromEntries(entries) as VitalSigns;
}

type Sign = VitalSigns[VitalSignName];

function failing(own: readonly Problem<number>[]): Sign {
  const codes = [...new Set(own.map(({ code }) => code))];
  const evidence = own[0]?.message ?? '';
  return { state: 'failing', evidence, evidence_at: iso(Math.min(...own.map(({ since }) => since))), codes };
}

function known(evidence: Evidence | string): Sign {
  if (typeof evidence === 'string') return { state: 'not_yet_known', evidence, evidence_at: null, codes: [] };
  return { state: 'ok', evidence: evidence.what, evidence_at: iso(evidence.at), codes: [] };
}

function seen(at: number | null, what: string, otherwise: string): Evidence | string {
  return at === null ? otherwise : { what, at };
}

/** What shows that a sign is well; a text: what has not been seen yet. */
const EVIDENCE: Readonly<Record<VitalSignName, (facts: VitalFacts) => Evidence | string>> = {
  can_read: ({ reading }) => seen(reading.readAt, 'chat.db was read', 'chat.db has not been read yet'),
  can_post: ({ posts: { takenAt, failing } }) =>
    (takenAt ?? 0) < (failing?.lastAt ?? 0) && isOfMany(failing)
      ? `the last posts got no answer (the newest at ${iso(failing.lastAt)})`
      : seen(takenAt, 'the backend accepted a message', 'no message has been posted since the start'),
  is_answered: ({ posts: { answeredAt, failing } }) =>
    isOfMany(failing)
      ? `the last posts were not answered (the newest at ${iso(failing.lastAt)})`
      : seen(answeredAt, 'a message was answered', 'no message has been answered since the start'),
  can_send: ({ sending: { sentAt, failing } }) =>
    hasFailedBroadly(failing)
      ? `the last texts were not sent, or it is not known (the newest at ${iso(failing.lastAt)})`
      : seen(sentAt, 'a text was sent', 'no text has been sent since the start'),
  link_stable: ({ link }) => {
    if (!link.isWanted)
      return seen(link.syncAt, 'polling, as configured; a sync succeeded', 'no sync has succeeded yet');
    return seen(link.isLive ? link.pongAt : null, 'a ping was answered', 'the link is not up yet');
  },
  commands_reach_us: ({ link }) => {
    const { isLive, pongAt, syncAt } = link;
    if (isLive && pongAt !== null) return { what: 'the real-time link answered', at: pongAt };
    return seen(syncAt, 'a sync succeeded', 'the backend has not answered a ping or a sync yet');
  },
  nothing_given_up: ({ now, givenUp }) => ({ what: `nothing is set aside${endedWords(givenUp)}`, at: now }),
};

function endedWords({ messages, images }: VitalFacts['givenUp']): string {
  const words = [
    ...(messages.count === 0 ? [] : [`${counted(messages.count, 'message')} too old to be answered`]),
    ...(images === 0 ? [] : [`${counted(images, 'image')} not uploaded`]),
  ];
  return words.length === 0 ? '' : `; given up in the last 7 days: ${words.join(', ')}`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** Facts that no single folder has. */
function found(facts: VitalFacts): Problem<number>[] {
  const held = heldBy(facts.problems);
  const hasSendingFault = facts.problems.some(({ code }) => SENDING_FAULTS.includes(code));
  return [
    ...(held.reading ? [] : [...stuckReading(facts), ...undecidedTexts(facts)]),
    ...(held.posting ? [] : [...failingPosts(facts), ...unreadAcks(facts)]),
    ...(held.uploading ? [] : stuckUploads(facts)),
    ...(held.storing ? [] : overdue(facts)),
    ...(hasSendingFault ? [] : failingSends(facts)),
    ...setAside(facts),
    ...expired(facts),
  ];
}

/** Each of these says why texts are not sent. */
const SENDING_FAULTS: readonly ErrorCode[] = [
  'automation_pending',
  'automation_denied',
  'osascript_missing',
  'messages_unavailable',
];

function stuckReading({ restart, reading: { standstill, rowsBehind } }: VitalFacts): Problem<number>[] {
  if (standstill === null || standstill.ms < READING_STUCK_MS) return [];
  return [
    {
      code: 'reading_stalled',
      since: standstill.since,
      message: `${rowsBehind ?? 0} new rows of chat.db are not read, although it can be opened.`,
      remedy: `${restart} Report it with the log lines around it.`,
    },
  ];
}

function failingPosts(facts: VitalFacts): Problem<number>[] {
  const { failing, waiting } = facts.posts;
  if (failing === null || !(arePostsRefused(facts) || doPostsWait(facts))) return [];
  const tried = `${failing.posts} ${failing.posts === 1 ? 'post' : 'posts'} in a row, the last one: ${failing.detail}`;
  const { since } = failing;
  if (failing.isTaken) {
    return [
      {
        code: 'messages_unanswered',
        since,
        message: `The backend accepts messages but gives no usable answer (${tried}). ${waiting} wait.`,
        remedy:
          'Look in the log of the backend; edge-agent conformance <url> tests its answers. Messages are posted again automatically.',
      },
    ];
  }
  return [
    {
      code: 'messages_not_taken',
      since,
      message: `The backend accepts no message (${tried}). ${waiting} wait.`,
      remedy:
        'Check that the backend serves POST /edge/message, and what it answers: edge-agent conformance <url>. Messages that wait are posted again automatically.',
    },
  ];
}

/** Messages of several people were recently refused permanently, with no answered one in between. */
function arePostsRefused({ now, posts: { failing } }: VitalFacts): boolean {
  if (!isOfMany(failing) || !failing.isRejected || failing.posts < REJECTED_FROM) return false;
  return now - failing.lastAt < EVIDENCE_LASTS_MS;
}

/** Messages whose posts failed have waited for so long, and none was answered meanwhile. */
function doPostsWait({ posts: { failed, standstill, answeredAt } }: VitalFacts): boolean {
  const isLone = failed.conversations < CONVERSATIONS_FROM && (answeredAt ?? 0) >= (failed.since ?? Infinity);
  return (standstill?.ms ?? 0) >= (isLone ? LONE_POSTS_FAIL_AFTER_MS : POSTS_FAIL_AFTER_MS);
}

function isOfMany<T extends { readonly conversations: number }>(failing: T | null): failing is T {
  return failing !== null && failing.conversations >= CONVERSATIONS_FROM;
}

function unreadAcks({ acks }: VitalFacts): Problem<number>[] {
  if (acks === null || acks.ms < ACKS_UNREAD_MS) return [];
  return [
    {
      code: 'acks_unread',
      since: acks.since,
      message: 'The backend answers, but has not confirmed for 10 minutes that it has read an ack.',
      remedy:
        'Let the backend answer pings, list acks in ack_commands of a sync, or serve POST /edge/command/ack. Acks are kept and delivered again automatically.',
    },
  ];
}

function stuckUploads({ uploads }: VitalFacts): Problem<number>[] {
  if (uploads === null || uploads.ms < UPLOADS_STUCK_MS) return [];
  return [
    {
      code: 'uploads_stuck',
      since: uploads.since,
      message: 'Images have not reached the backend for an hour, although it answers.',
      remedy:
        'Check that the backend serves POST /photo/upload, or set attachments.upload to false. Images are uploaded again automatically.',
    },
  ];
}

function overdue({ restart, sending: { overdue: due } }: VitalFacts): Problem<number>[] {
  if (due === null || due.ms < OVERDUE_MS) return [];
  return [
    {
      code: 'schedule_overdue',
      since: due.since,
      message: 'A scheduled text is overdue and has not started.',
      remedy: `${restart} Report it with the log lines around it.`,
    },
  ];
}

function undecidedTexts({ now, sending: { undecided } }: VitalFacts): Problem<number>[] {
  if (undecided.texts === 0 || now - undecided.since < UNDECIDED_MS) return [];
  const what =
    undecided.texts === 1
      ? 'chat.db does not show whether one text was sent; those after it in its conversation wait.'
      : `chat.db does not show whether ${undecided.texts} texts were sent; those after them in their conversations wait.`;
  return [
    {
      code: 'texts_undecided',
      since: undecided.since,
      message: what,
      remedy:
        'Open Messages, so that it finishes what it is sending. A text that is not finished within 3 minutes is reported as outcome_unknown, and those after it are sent.',
    },
  ];
}

/** So many that it is not the fault of one recipient. */
function hasFailedBroadly(texts: SendFailures | null): texts is SendFailures {
  if (texts === null || texts.texts < SENDS_FAIL_FROM) return false;
  return texts.conversations >= CONVERSATIONS_FROM || texts.unknown >= SENDS_FAIL_FROM;
}

function failingSends({ now, sending: { failing: texts } }: VitalFacts): Problem<number>[] {
  if (!hasFailedBroadly(texts) || now - texts.lastAt >= EVIDENCE_LASTS_MS) return [];
  return [
    {
      code: 'sends_failing',
      since: texts.since,
      message: `The last ${texts.texts} texts were not sent, or it is not known whether they were: ${texts.detail}`,
      remedy:
        'Check whether Messages on this Mac is signed in, online and shows a dialog; then run: edge-agent selftest --send. This notice ends with the next text that is sent, or after an hour without one.',
    },
  ];
}

function setAside({ now, setAside: { messages, since } }: VitalFacts): Problem<number>[] {
  if (messages === 0) return [];
  const what = messages === 1 ? 'One message was' : `${messages} messages were`;
  return [
    {
      code: 'messages_set_aside',
      since: since ?? now,
      message: `${what} set aside unanswered, because the backend does not accept ${messages === 1 ? 'it' : 'them'}.`,
      remedy:
        "See why, in the backend's own words: edge-agent queue list. Then edge-agent queue retry <guid>, or queue drop <guid>.",
    },
  ];
}

/** This was not a decision, unlike a message that an operator drops. */
function expired({ now, givenUp: { messages } }: VitalFacts): Problem<number>[] {
  const { count, newestAt } = messages;
  if (newestAt === null || now - newestAt >= LOSS_SHOWN_MS) return [];
  return [
    {
      code: 'messages_expired',
      since: newestAt,
      message: `${counted(count, 'message')} of the last 7 days got no answer: the backend gave none before they were too old.`,
      remedy:
        'Answer manually if needed: edge-agent conversations shows where. See imessage.max_message_age_seconds. This notice ends after a day.',
    },
  ];
}
