import type { ErrorCode } from '../model/errorCodes.js';
import type { Problem } from '../model/problem.js';
import type { VitalSignName } from '../model/vitalSignNames.js';

/** What a problem says of the job: of which signs it is, and whether the agent does its whole job with it. */
interface Meaning {
  readonly signs: readonly VitalSignName[];
  /** It is reported and keeps the agent from nothing. */
  readonly isNotice?: true;
}

const of = (...signs: VitalSignName[]): Meaning => ({ signs });
const notice = (...signs: VitalSignName[]): Meaning => ({ signs, isNotice: true });
const MACHINE = of('can_read', 'can_send');
const NO_BACKEND = of('can_post', 'is_answered', 'commands_reach_us');

/**
 * The meaning of every problem. A message, item or event that was set aside or refused is a notice: a stranger could
 * cause one every day, and it is no reason for an on-call alarm.
 */
const MEANINGS: Readonly<Partial<Record<ErrorCode, Meaning>>> = {
  stopping: of('can_send', 'commands_reach_us'),
  config_invalid: of(),
  config_unreadable: of(),
  config_needs_restart: notice(),
  tls_setting_ignored: notice(),
  state_restored: notice(),
  state_shared: notice(),
  witness_unwritable: notice(),
  alerts_failing: notice(),
  health_unavailable: notice(),
  state_unwritable: MACHINE,
  state_moved: MACHINE,
  store_damaged: of('nothing_given_up'),
  disk_full: MACHINE,
  too_many_files: MACHINE,
  machine_exhausted: MACHINE,
  clock_skew: of(),
  monitor_unavailable: of(),
  chatdb_missing: of('can_read'),
  chatdb_not_permitted: of('can_read'),
  chatdb_denied: of('can_read'),
  chatdb_unreadable: of('can_read'),
  internal: of('can_read'),
  reading_stalled: of('can_read'),
  inbound_stalled: of('can_read'),
  secret_missing: NO_BACKEND,
  plain_secret_refused: NO_BACKEND,
  backend_insecure: NO_BACKEND,
  backend_unauthorised: NO_BACKEND,
  token_expired: NO_BACKEND,
  backend_unreachable: NO_BACKEND,
  registration_refused: of(),
  messages_not_taken: of('can_post', 'is_answered'),
  messages_unanswered: of('is_answered'),
  acks_unread: of('can_post'),
  uploads_stuck: of('can_post'),
  sync_failing: of('commands_reach_us'),
  websocket_unavailable: of('link_stable'),
  websocket_refused: of('link_stable'),
  link_unstable: of('link_stable'),
  agent_duplicated: of('link_stable', 'commands_reach_us'),
  automation_pending: of('can_send'),
  automation_denied: of('can_send'),
  osascript_missing: of('can_send'),
  messages_unavailable: of('can_send'),
  sending_paused: of('can_send'),
  sends_failing: of('can_send'),
  texts_undecided: of('can_send'),
  schedule_overdue: of('can_send'),
  messages_set_aside: notice('nothing_given_up'),
  messages_expired: notice('nothing_given_up'),
  item_set_aside: notice('nothing_given_up'),
  delivery_refused: notice('nothing_given_up'),
};

/** The vital signs of a problem; empty if it has none, or is not known here. */
export function signsOf(code: ErrorCode): readonly VitalSignName[] {
  return MEANINGS[code]?.signs ?? [];
}

/** Every code that a problem may have. */
export function problemCodes(): ErrorCode[] {
  return Object.keys(MEANINGS) as ErrorCode[];
}

/** The codes because of which a sign fails. */
export function codesOfSign(name: VitalSignName): ErrorCode[] {
  const meanings = Object.entries(MEANINGS) as [ErrorCode, Meaning][];
  return meanings.filter(([, { signs }]) => signs.includes(name)).map(([code]) => code);
}

/** Whether a problem keeps the agent from its whole job; one that is not known here does. */
export function hindersTheJob({ code }: { readonly code: ErrorCode }): boolean {
  return MEANINGS[code]?.isNotice !== true;
}

/** Which work a known fault keeps from getting on. */
interface Held {
  readonly reading: boolean;
  readonly posting: boolean;
  readonly uploading: boolean;
  readonly storing: boolean;
}

/** By known faults: the items that they block, which are not at fault themselves. */
export function heldBy(problems: readonly Problem<number>[]): Held {
  const hasCode = (...codes: readonly ErrorCode[]) => problems.some(({ code }) => codes.includes(code));
  const has = (wanted: (meaning: Meaning | undefined) => boolean) =>
    problems.some(({ code }) => wanted(MEANINGS[code]));
  const storing = hasCode('disk_full', 'state_unwritable', 'state_moved', 'stopping', 'internal');
  const reading = storing || has((meaning) => meaning?.signs.includes('can_read') === true);
  const posting = has((meaning) => meaning === NO_BACKEND);
  return { reading, posting, uploading: posting || reading, storing };
}
