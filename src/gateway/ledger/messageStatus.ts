import { z } from 'zod';
import { MESSAGE_STATUSES, type MessageStatus, type StatusEvidence } from '../../model/gatewayMessages.js';

/** A status as it is stored. The value of an unreadable one is not known. */
export const statusColumn = z.enum(MESSAGE_STATUSES).catch('unknown');

/** The published state of a message. */
export type MessageEvidence = AckEvidence | EventEvidence | RemovalEvidence | DamageEvidence;

/** An ack, as far as it says what became of a message (protocol §5). Times are Unix ms, by the clock of the Mac. */
interface AckEvidence {
  readonly kind: 'ack';
  readonly revision: number;
  readonly status: 'completed' | 'failed';
  readonly error: string | null;
  readonly at: number;
  readonly result: Readonly<Record<string, unknown>>;
}

/** An event about a text (protocol §8). */
interface EventEvidence {
  readonly kind: 'event';
  readonly eventId: string;
  readonly eventType: string;
  readonly at: number;
  readonly details: Readonly<Record<string, unknown>>;
}

/** That its agent was removed before it said what became of a text. `wasReached`: it may have been given it. */
interface RemovalEvidence {
  readonly kind: 'removal';
  readonly at: number;
  readonly wasReached: boolean;
}

/** Its command cannot be read any more, so it is no longer offered; it may have been before. */
interface DamageEvidence {
  readonly kind: 'damage';
  readonly at: number;
}

const text = z.string().nullable();

const verdictSchema = z.object({
  status: z.enum(['accepted', 'sent', 'failed', 'unknown', 'cancelled']),
  at: z.number(),
  /** Who says so: the revision of an ack, or the id of an event. */
  by: z.union([z.number(), z.string()]),
  eventType: text,
  outcome: text,
  code: text,
  error: text,
  retrySafe: z.boolean().nullable(),
  guid: text,
  service: text,
  deduplicated: z.boolean(),
  /** The rows of a message with several parts, as listed in the ack; empty if it has one part. */
  parts: z.array(z.string()),
});

const sightingSchema = z.object({ at: z.number(), by: z.string(), service: text });

/**
 * All that is known of a message: the ack that counts, the newest event that says whether it was sent, and when each of its rows
 * was delivered and read. What it means is `statusOf`; the order in which it became known makes no difference.
 */
export const knowledgeSchema = z.object({
  ack: verdictSchema.nullable(),
  event: verdictSchema.nullable(),
  delivered: z.record(z.string(), sightingSchema),
  read: z.record(z.string(), sightingSchema),
  removal: z.object({ at: z.number(), wasReached: z.boolean() }).nullable().default(null),
  damage: z.object({ at: z.number() }).nullable().default(null),
});

export type Knowledge = z.infer<typeof knowledgeSchema>;
type Verdict = Knowledge['ack'] & object;
type Sighting = z.infer<typeof sightingSchema>;

/** What is known of a message that was only asked for. */
export const NOTHING_KNOWN: Knowledge = {
  ack: null,
  event: null,
  delivered: {},
  read: {},
  removal: null,
  damage: null,
};

/** What became of a message, and by what it is known; `at` is Unix ms, and null while it is queued. */
export interface MessageStanding {
  readonly status: MessageStatus;
  readonly at: number | null;
  readonly evidence: StatusEvidence;
  readonly outcome: string | null;
  readonly code: string | null;
  readonly error: string | null;
  readonly retrySafe: boolean | null;
  readonly guid: string | null;
  readonly service: string | null;
  readonly deduplicated: boolean;
}

/** How far a message has come; what falls below was said too much before. */
const RANK: Readonly<Record<MessageStatus, number>> = {
  queued: 0,
  accepted: 1,
  unknown: 2,
  failed: 2,
  cancelled: 2,
  sent: 3,
  delivered: 4,
  read: 5,
};

/**
 * Adds one piece of evidence; the same object where it says nothing new. The highest revision of an ack counts, and of equal ones
 * the first (protocol §5); of events about one thing the newest by the clock of the Mac.
 */
export function learn(known: Knowledge, evidence: MessageEvidence): Knowledge {
  if (evidence.kind === 'removal') {
    const { at, wasReached } = evidence;
    return known.removal === null ? { ...known, removal: { at, wasReached } } : known;
  }
  if (evidence.kind === 'damage')
    return known.damage === null ? { ...known, damage: { at: evidence.at } } : known;
  if (evidence.kind === 'ack') {
    if (known.ack !== null && Number(known.ack.by) >= evidence.revision) return known;
    return { ...known, ack: verdictOfAck(evidence) };
  }
  switch (evidence.eventType) {
    case 'message_sent':
    case 'message_failed':
    case 'schedule_cancelled': {
      const verdict = verdictOfEvent(evidence);
      return known.event !== null && !isNewer(verdict, known.event) ? known : { ...known, event: verdict };
    }
    case 'message_delivered': {
      const delivered = earliest(known.delivered, evidence);
      return delivered === known.delivered ? known : { ...known, delivered };
    }
    case 'message_read': {
      const read = earliest(known.read, evidence);
      return read === known.read ? known : { ...known, read };
    }
    default:
      return known;
  }
}

/** What became of the message, by all that is known of it. Pure: it does not depend on what was known first. */
export function statusOf(known: Knowledge): MessageStanding {
  const verdict = decisive(known);
  const seen = level(known, verdict);
  if (seen !== undefined) {
    return {
      status: seen.status,
      at: seen.sighting.at,
      evidence: { kind: 'event', event_id: seen.sighting.by, event_type: `message_${seen.status}` },
      outcome: 'sent',
      code: null,
      error: null,
      retrySafe: null,
      guid: verdict?.guid ?? seen.guid,
      service: verdict?.service ?? seen.sighting.service,
      deduplicated: verdict?.deduplicated ?? false,
    };
  }
  const isOpen = verdict === null || verdict.status === 'accepted';
  if (known.damage !== null && isOpen) return standingOfDamaged(known.damage);
  if (known.removal !== null && isOpen) return standingOfRemoved(known.removal, verdict !== null);
  if (verdict === null) return { ...NOTHING_SAID, status: 'queued', at: null, evidence: { kind: 'request' } };
  return {
    status: verdict.status,
    at: verdict.at,
    evidence: evidenceOf(verdict),
    outcome: verdict.outcome,
    code: verdict.code,
    error: verdict.error,
    retrySafe: verdict.retrySafe,
    guid: verdict.guid,
    service: verdict.service,
    deduplicated: verdict.deduplicated,
  };
}

/** Of a text whose command cannot be read any more. */
function standingOfDamaged({ at }: Knowledge['damage'] & object): MessageStanding {
  return {
    ...NOTHING_SAID,
    at,
    status: 'unknown',
    evidence: { kind: 'damage' },
    outcome: 'unknown',
    code: 'item_set_aside',
    error: UNREADABLE,
    retrySafe: false,
  };
}

/** The event for a command that the gateway cannot read any more. */
export const UNREADABLE =
  'what the gateway had stored of it could not be read, and it is not known what became of it';

/** Of a text whose agent was removed before it had an end. */
function standingOfRemoved(
  { at, wasReached }: Knowledge['removal'] & object,
  isAccepted: boolean,
): MessageStanding {
  const standing = {
    ...NOTHING_SAID,
    at,
    evidence: { kind: 'removal' },
    code: 'agent_removed',
    guid: null,
    service: null,
    deduplicated: false,
  } as const;
  if (!wasReached && !isAccepted) {
    const error = 'its agent was removed, and had never been there';
    return { ...standing, status: 'failed', outcome: 'not_sent', error, retrySafe: true };
  }
  const error = 'its agent was removed before it said what became of the text';
  return { ...standing, status: 'unknown', outcome: 'unknown', error, retrySafe: false };
}

/** Whether the later status corrects the earlier one, rather than follows it. */
export function takesBack(earlier: MessageStatus, later: MessageStatus): boolean {
  if (earlier === later) return false;
  // Unknown and failed say themselves that more may follow; only that which was certain can be taken back.
  return RANK[later] < RANK[earlier] || (RANK[earlier] === 2 && RANK[later] > 2 && earlier !== 'unknown');
}

const NOTHING_SAID = {
  outcome: null,
  code: null,
  error: null,
  retrySafe: null,
  guid: null,
  service: null,
  deduplicated: false,
} as const;

/**
 * The ack, or the event where that is newer: an event reports what came after the ack, and an ack corrects what came
 * before it.
 */
function decisive({ ack, event }: Knowledge): Verdict | null {
  if (ack === null || event === null) return ack ?? event;
  if (event.at <= ack.at) return withRow(ack, event);
  // A part that was sent says nothing of the others, whose end the ack has.
  if (ack.parts.length > 0 && event.status === 'sent' && ack.status !== 'accepted') return ack;
  return {
    ...event,
    deduplicated: ack.deduplicated,
    parts: ack.parts,
    guid: event.guid ?? ack.guid,
    service: event.service ?? ack.service,
  };
}

/** The same end, which only one of them names the row of. */
function withRow(ack: Verdict, event: Verdict): Verdict {
  if (ack.status !== event.status) return ack;
  return { ...ack, guid: ack.guid ?? event.guid, service: ack.service ?? event.service };
}

/** `delivered` or `read` with the sighting that shows it, if all rows of the message are so, and nothing newer denies it. */
function level(
  known: Knowledge,
  verdict: Verdict | null,
): { status: 'delivered' | 'read'; sighting: Sighting; guid: string | null } | undefined {
  for (const status of ['read', 'delivered'] as const) {
    // What was read was delivered, whether or not Messages said so.
    const seen = status === 'read' ? known.read : { ...known.delivered, ...known.read };
    const rows = verdict !== null && verdict.parts.length > 0 ? verdict.parts : Object.keys(seen).sort();
    const sightings = rows.map((guid) =>
      status === 'read' ? seen[guid] : (known.delivered[guid] ?? known.read[guid]),
    );
    const present = sightings.filter((sighting) => sighting !== undefined);
    // Of several rows the last one makes it whole; where the rows are not listed, one is the message.
    const [first, ...others] = present;
    if (first === undefined || present.length < rows.length) continue;
    const last = others.reduce((latest, one) => (one.at > latest.at ? one : latest), first);
    if (
      verdict !== null &&
      verdict.status !== 'sent' &&
      verdict.status !== 'accepted' &&
      last.at < verdict.at
    )
      continue;
    return { status, sighting: last, guid: rows[0] ?? null };
  }
  return undefined;
}

function verdictOfAck(ack: AckEvidence): Verdict {
  const result = resultSchema.parse(ack.result);
  const [code, message] = codeAndMessage(ack.error);
  return {
    status: statusOfAck(ack, result.outcome),
    at: ack.at,
    by: ack.revision,
    eventType: null,
    outcome: result.outcome,
    code: ack.status === 'failed' ? (code ?? 'rejected') : null,
    error: ack.status === 'failed' ? message : null,
    retrySafe: ack.status === 'failed' ? (result.retry_safe ?? false) : null,
    guid: result.message_guid ?? result.duplicate_of?.message_guid ?? null,
    service: result.service,
    deduplicated: result.deduplicated,
    parts: result.parts.flatMap(({ message_guid }) => (message_guid === null ? [] : [message_guid])),
  };
}

function statusOfAck(ack: AckEvidence, outcome: string | null): Verdict['status'] {
  if (outcome === 'unknown') return 'unknown';
  // The ack of what was only stored has no outcome yet (protocol §5).
  if (ack.status === 'completed') return outcome === null ? 'accepted' : 'sent';
  return /^cancelled by /.test(ack.error ?? '') ? 'cancelled' : 'failed';
}

function verdictOfEvent({ eventType, eventId, at, details }: EventEvidence): Verdict {
  const result = resultSchema.parse(details);
  const base = {
    ...NOTHING_SAID,
    at,
    by: eventId,
    eventType,
    guid: result.message_guid,
    service: result.service,
    parts: [],
  };
  if (eventType === 'message_sent') return { ...base, status: 'sent', outcome: 'sent' };
  if (eventType === 'schedule_cancelled') {
    return {
      ...base,
      status: 'cancelled',
      code: 'rejected',
      error: 'cancelled by operator',
      retrySafe: false,
    };
  }
  const error = result.error ?? 'it was not sent';
  const code = result.code ?? 'rejected';
  const retrySafe = result.retry_safe ?? false;
  if (result.outcome === 'unknown')
    return { ...base, status: 'unknown', outcome: 'unknown', code, error, retrySafe };
  return { ...base, status: 'failed', outcome: result.outcome ?? 'not_sent', code, error, retrySafe };
}

/** What comes from a Mac is read leniently: a field of another kind counts as missing. */
const word = z.string().nullable().catch(null).default(null);
const resultSchema = z.object({
  outcome: word,
  code: word,
  error: word,
  retry_safe: z.boolean().optional().catch(undefined),
  message_guid: word,
  service: word,
  deduplicated: z.boolean().catch(false).default(false),
  duplicate_of: z.object({ message_guid: word }).optional().catch(undefined),
  parts: z
    .array(z.object({ message_guid: word }))
    .catch([])
    .default([]),
});

/** An ack's error is a code, a colon and a message; that of a cancelled text is a message alone. */
function codeAndMessage(error: string | null): readonly [string | null, string] {
  const found = /^([a-z][a-z0-9_]*): ([\s\S]*)$/.exec(error ?? '');
  return found === null ? [null, error ?? 'it was not sent'] : [found[1] ?? null, found[2] ?? ''];
}

function evidenceOf(verdict: Verdict): StatusEvidence {
  const { by, eventType, outcome } = verdict;
  if (typeof by === 'string') return { kind: 'event', event_id: by, event_type: eventType ?? '' };
  return { kind: 'ack', revision: by, ...(outcome === null ? {} : { outcome }) };
}

function isNewer(one: Verdict, other: Verdict): boolean {
  return one.at !== other.at ? one.at > other.at : String(one.by) > String(other.by);
}

function earliest(
  known: Readonly<Record<string, Sighting>>,
  { eventId, at, details }: EventEvidence,
): Record<string, Sighting> {
  const { message_guid, service } = resultSchema.parse(details);
  const guid = message_guid ?? '';
  const before = known[guid];
  const sighting = { at, by: eventId, service };
  const isEarlier = before === undefined || at < before.at || (at === before.at && eventId < before.by);
  return isEarlier ? { ...known, [guid]: sighting } : known;
}
