import { isOneTimeCode } from './oneTimeCode.js';

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
