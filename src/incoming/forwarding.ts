import type { Config } from '../config/schema.js';
import type { Logger } from '../logging/Logger.js';
import { maskHandle } from '../logging/mask.js';
import type { ForwardRefusal, ForwardSubject, IncomingMessage } from '../model/incoming.js';
import type { Outage } from '../store/outages.js';
import type { Store } from '../store/Store.js';
import { type Clock, steadyNow } from '../system/clock.js';
import { ChatEvents, givenUpEvent, type OperatorReply, pausedEvent } from './ChatEvents.js';
import { LoopBreaker, type LoopPattern } from './LoopBreaker.js';
import { MessageUpdates } from './MessageUpdates.js';
import { OperatorReplies, type OwnAccountRow, type UnprovenWords } from './OperatorReplies.js';

/** Whom and what the operator lets the backend see (`forward.*`). People and groups as they were written. */
export interface ForwardSettings {
  allow: readonly string[];
  ignore: readonly string[];
  unknownSenders: boolean;
  oneTimeCodes: boolean;
}

/**
 * Decides what the backend may see at all. Ignored people are ignored in every chat; allowed people count as known.
 * Settings are read at each call, so a change applies immediately.
 */
export class ForwardPolicy {
  private written: { allow: readonly string[]; ignore: readonly string[] } = { allow: [], ignore: [] };
  private allow: ReadonlySet<string> = new Set();
  private ignore: ReadonlySet<string> = new Set();

  constructor(
    private readonly settings: () => ForwardSettings,
    /** The canonical key of a person or group, whatever form it was written in. */
    private readonly canonical: (written: string) => string,
  ) {}

  /** Why it is kept from the backend; null: it is not. */
  refusal(subject: ForwardSubject): ForwardRefusal | null {
    const { unknownSenders, oneTimeCodes, ...written } = this.settings();
    this.read(written);
    const { conversation, sender, text } = subject;
    const isIn = (set: ReadonlySet<string>) => set.has(conversation) || (sender !== null && set.has(sender));
    if (isIn(this.ignore)) return 'ignored';
    if (this.allow.size > 0) {
      if (!isIn(this.allow)) return 'not_allowed';
    } else if (!unknownSenders && (subject.isFiltered || !subject.isAcquainted)) return 'unknown_sender';
    if (oneTimeCodes || text === null) return null;
    return subject.hasOneTimeCode || isOneTimeCode(text, sender) ? 'one_time_code' : null;
  }

  /** The names of groups lead elsewhere now: the lists are read again at the next question. */
  forgetNames(): void {
    this.written = { allow: [], ignore: [] };
  }

  private read({ allow, ignore }: Pick<ForwardSettings, 'allow' | 'ignore'>): void {
    if (allow === this.written.allow && ignore === this.written.ignore) return;
    this.written = { allow, ignore };
    this.allow = new Set(allow.map(this.canonical));
    this.ignore = new Set(ignore.map(this.canonical));
  }
}

/** A sender that no person has: three to six digits, or a name (alphanumeric sender ids have up to 11 characters). */
const SHORT_CODE = /^(?:\d{3,6}|(?=.*[a-z])[a-z0-9 _.&-]{2,11})(?:\(smsf[a-z_]*\))?$/i;
/** Messages of this length contain more than a code. */
const LONGEST = 400;
/** Four to eight digits, also as 123-456, 123 456 and G-123456; not part of a longer number, price or date. */
const CODE = /(?<![\d.,/€$£¥+-])(?:[A-Z]{1,3}-)?(?:\d{4,8}|\d{3}[- ]\d{3,4})(?![\d:/%€$£¥]|[.,-]\d)/u;
/** What such messages call it, in the languages that senders use most. */
const WORDS =
  /\b(?:code|pin|otp|passcode|password|verif\w*|authenticat\w*|log[ -]?in|sign[ -]?in|2fa|c[oó]digo|codice|kod[eu]?|passwort|einmal\w*|best[äa]tig\w*|mot de passe|contrase[ñn]a|senha|wachtwoord|kode|koodi|k[oó]d|şifre|doğrulama)\b|код|пароль|קוד|رمز|كود|कोड|验证码|驗證碼|校验码|認證碼|認証|確認コード|인증/iu;

/** Whether a text reads as a code for signing in, from a sender that is no person. For those that Messages did not mark. */
export function isOneTimeCode(text: string, sender: string | null): boolean {
  if (sender === null || !SHORT_CODE.test(sender) || text.length > LONGEST) return false;
  return CODE.test(text) && WORDS.test(text);
}

interface AgeLimits {
  /** How old a message may get while both ends are up, in ms. */
  maxAgeMs: number;
  /** How old it may get in any case, in ms. */
  catchUpMs: number;
}

/** Whether a message is still worth an answer: its age does not include time in which no answer was possible. */
export function isWorthAnswering(
  sentAt: number,
  now: number,
  outages: readonly Outage[],
  limits: AgeLimits,
): boolean {
  const age = now - sentAt;
  if (age <= limits.maxAgeMs) return true;
  if (age > limits.catchUpMs) return false;
  return age - overlap(sentAt, now, outages) <= limits.maxAgeMs;
}

interface AgeJudge {
  clock: Clock;
  /** How old something of then is by the backend's clock, in ms. */
  ageOf: (madeAt: number) => number;
  outages: Pick<Store['outages'], 'since'>;
  limits: () => AgeLimits;
}

/** Whether a message of then (Unix ms) is worth an answer, by any clock: this machine's, the monotonic one, or the backend's. */
export function worthAnsweringBy({ clock, ageOf, outages, limits }: AgeJudge): (sentAt: number) => boolean {
  const steady = steadyNow(clock);
  return (sentAt) =>
    [clock.now(), steady(), sentAt + ageOf(sentAt)].some((now) =>
      isWorthAnswering(sentAt, now, outages.since(sentAt), limits()),
    );
}

/** How much of [from, to] is within outages; overlaps count once. */
function overlap(from: number, to: number, outages: readonly Outage[]): number {
  const clipped = outages
    .map((outage) => ({ from: Math.max(outage.from, from), to: Math.min(outage.to ?? to, to) }))
    .filter((outage) => outage.to > outage.from)
    .toSorted((a, b) => a.from - b.from);
  let total = 0;
  let reached = from;
  for (const outage of clipped) {
    total += Math.max(0, outage.to - Math.max(outage.from, reached));
    reached = Math.max(reached, outage.to);
  }
  return total;
}

interface ForwardingOptions {
  store: Store;
  clock: Clock;
  log: Logger;
  config: () => Config;
  conversationKey: (written: string) => string;
  /** A text as Messages compares it. */
  normalise: (text: string) => string;
  /** What the backend may read of a text that a person wrote. */
  disclose: (text: string) => string;
  /** Inside a write: files joined a message after it was stored; its attachments are these alone. */
  onFiles: (message: IncomingMessage) => void;
  /** Inside a write: a message that was taken in turned out to have gone out from this account. */
  onReversed?: (message: IncomingMessage) => void;
}

/** What the log says of each pattern. Operators search for the first one: its wording is kept. */
const LOOP_LINE: Record<LoopPattern, string> = {
  repeat: 'The same exchange keeps repeating; conversation paused',
  speed: 'Answered faster than a person writes: the conversation is paused',
  even: 'Answered more regularly than a person writes: the conversation is paused',
  endless: 'An exchange without the pauses of a person: the conversation is paused',
};

/** What the backend gets of chat.db besides messages, and what is filtered: `rows` is for the reader of chat.db. */
export type Forwarding = ReturnType<typeof forwarding>;

export function forwarding(options: ForwardingOptions) {
  const { store, clock, log, config, conversationKey, normalise, disclose, onFiles } = options;
  const onReversed = (message: IncomingMessage) => {
    log.warn('A stored message was sent from this account; it is withdrawn', {
      trace: message.guid,
    });
    options.onReversed?.(message);
  };
  const policy = new ForwardPolicy(() => {
    const { allow, ignore, unknown_senders, one_time_codes } = config().forward;
    return { allow, ignore, unknownSenders: unknown_senders, oneTimeCodes: one_time_codes };
  }, conversationKey);
  store.onRekeyed(() => policy.forgetNames());
  store.onRollback(() => policy.forgetNames());
  const operators = new OperatorReplies({ store, clock, normalise });
  const replyListeners: ((reply: OperatorReply) => void)[] = [];
  const happenings = new ChatEvents({
    store,
    disclose,
    pauseOnOperatorReply: () => config().outgoing.pause_on_operator_reply,
    onOperatorReply: (reply) => {
      for (const listener of replyListeners) listener(reply);
    },
  });
  const loops = new LoopBreaker({
    store,
    clock,
    isOn: () => config().outgoing.pause_on_loop,
    normalise,
    onLoop(conversation, { pattern, exchanges }) {
      if (!store.pauses.set(conversation, 'loop')) return;
      store.events.add(pausedEvent(conversation, { reason: 'loop', pattern, exchanges }));
      store.afterCommit(() =>
        log.error(LOOP_LINE[pattern], { conversation: maskHandle(conversation), pattern, exchanges }),
      );
    },
  });
  const changes = new MessageUpdates({
    store,
    happenings,
    clock,
    onFiles,
    onReversed,
    settings: () => config().forward,
  });
  store.incoming.onInsert((message) => loops.received(message));
  // An operator looked at it: what was before counts no longer.
  store.pauses.onLifted((conversation) => loops.reset(conversation));
  return {
    rows: {
      rules() {
        const { reactions, group_events, unknown_senders, filtered } = config().forward;
        return {
          reactions,
          groupEvents: group_events,
          filtered,
          asksAcquaintance: !unknown_senders,
          refusal: policy.refusal.bind(policy),
          ownRow: (row: OwnAccountRow) => operators.authorOf(row),
          mayBeOurs: operators.mayBeOurs.bind(operators),
          isOurText: operators.isOurText.bind(operators),
          unprovenText: (said: UnprovenWords) => operators.unprovenText(said),
        };
      },
      report: happenings.report.bind(happenings),
      wasEdited: happenings.wasEdited.bind(happenings),
      joinLink: changes.joinLink.bind(changes),
    },
    changes,
    loops,
    /** Inside a write: a stored message is not posted any more, because of its age or because it was set aside. */
    givenUp(message: IncomingMessage, reason: 'expired' | 'set_aside'): void {
      if (config().forward.filtered) {
        store.events.add(givenUpEvent(message, reason, store.incoming.sequenceOf(message.guid)));
      }
    },
    /** Inside a write: a person answered from another device. */
    onOperatorReply: (listener: (reply: OperatorReply) => void) => void replyListeners.push(listener),
  };
}
