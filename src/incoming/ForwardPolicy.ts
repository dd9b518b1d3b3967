import type { Outage } from '../store/outages.js';

/** Whom and what the operator lets the backend see (`forward.*`). People and groups as they were written. */
export interface ForwardSettings {
  allow: readonly string[];
  ignore: readonly string[];
  unknownSenders: boolean;
  oneTimeCodes: boolean;
}

/** Something that came in chat.db. Addresses are canonical; `sender` is null for what nobody, or we ourselves, did. */
export interface Subject {
  conversation: string;
  sender: string | null;
  /** Messages keeps the chat apart, as of unknown senders or junk. */
  isFiltered: boolean;
  /** Something was sent from here in this chat. */
  isAcquainted: boolean;
  /** Null while only the people matter. */
  text: string | null;
  /** Messages itself marked a code for signing in. */
  hasOneTimeCode: boolean;
}

type Refusal = 'ignored' | 'not_allowed' | 'unknown_sender' | 'one_time_code';

/**
 * Decides what the backend may see at all. Who is ignored stays so wherever they write; who is allowed counts as known.
 * Settings are read at each question, so that a change counts at once.
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
  refusal(subject: Subject): Refusal | null {
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
/** Messages of this length tell more than a code. */
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

/** Whether a message is still worth an answer: its age does not count the time in which nobody could have answered. */
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

/** How much of [from, to] lies in outages; where they overlap it counts once. */
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
