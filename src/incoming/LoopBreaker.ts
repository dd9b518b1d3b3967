import type { IncomingMessage } from '../model/incoming.js';
import type { Store } from '../store/Store.js';
import type { Clock } from '../system/clock.js';
import {
  type Loop,
  movedBy,
  NO_TALK,
  roundsOf,
  type Talk,
  talkSchema,
  theyWrote,
  weWrote,
} from './exchanges.js';

interface LoopBreakerOptions {
  store: Pick<Store, 'exchanges' | 'afterCommit' | 'onRollback'>;
  clock: Clock;
  /** Whether the operator wants it. */
  isOn: () => boolean;
  /** A text as it compares: what Messages changes on the way is levelled out. */
  normalise: (text: string) => string;
  /** Inside a write: no person is at the other end. Called once; the counting begins again. */
  onLoop: (conversation: string, loop: Loop) => void;
}

/** A text of ours, by its seq in the ledger; `text` is a file's name where it is a file. */
export interface CountedSend {
  seq: number;
  conversation: string;
  text: string;
  answers: string | null;
}

/** Characters of a text that are looked at: a bound on the work, whatever somebody writes. */
const COMPARED = 10_000;
/** Conversations are forgotten in memory, the one that was silent the longest first, beyond so many. */
const MOST_CONVERSATIONS = 1_000;
/** A conversation with fewer rounds is not worth a row: a restart may count these again. */
const FEWEST_SAVED = 3;

/**
 * Notices that an exchange runs by itself (see `exchanges.ts` for the rules). The counts are stored in the write that stores
 * the message or the outcome, so a restart goes on counting; what a write that was rolled back counted is taken back.
 */
export class LoopBreaker {
  private readonly talks = new Map<string, Talk>();
  /** What each conversation was before the write that is under way. */
  private readonly before = new Map<string, Talk | undefined>();
  private readonly startedAt: number;

  constructor(private readonly options: LoopBreakerOptions) {
    this.startedAt = options.clock.now();
    options.store.onRollback(() => {
      for (const [conversation, talk] of this.before) {
        if (talk === undefined) this.talks.delete(conversation);
        else this.talks.set(conversation, talk);
      }
      this.before.clear();
    });
  }

  /** Inside a write: somebody wrote this. */
  received({ conversation, sender, text, sentAt }: IncomingMessage): void {
    if (!this.options.isOn()) return;
    const words = this.options.normalise(text.slice(0, COMPARED));
    const { talk, loop } = theyWrote(this.talk(conversation), {
      sender,
      words,
      characters: words.length,
      at: this.arrivedAt(sentAt),
      sentAt,
    });
    if (loop === undefined) this.change(conversation, talk);
    else {
      this.reset(conversation);
      this.options.onLoop(conversation, loop);
    }
  }

  /** We hand this over now. Their answer may be read before its outcome is known. */
  started(send: CountedSend): void {
    const talk = this.talks.get(send.conversation);
    if (talk !== undefined) this.keep(send.conversation, weWrote(talk, this.ours(send)));
  }

  /** Inside a write: we sent this, or may have. */
  sent(send: CountedSend): void {
    const talk = this.talk(send.conversation);
    // Nobody wrote there: nothing to count.
    if (talk.voices.length === 0) return;
    this.change(send.conversation, weWrote(talk, this.ours(send)));
  }

  /** Inside a write: the counting begins again. */
  reset(conversation: string): void {
    this.remember(conversation);
    this.talks.delete(conversation);
    this.options.store.exchanges.delete(conversation);
  }

  private ours({ seq, text, answers }: CountedSend) {
    const words = this.options.normalise(text.slice(0, COMPARED));
    return { seq, words, at: this.options.clock.monotonic(), answers };
  }

  /** What was written while we were down counts from when it was written: our being down is not a person's pause. */
  private arrivedAt(sentAt: number): number {
    const { clock } = this.options;
    const lateBy = sentAt < this.startedAt ? Math.max(0, clock.now() - sentAt) : 0;
    return clock.monotonic() - lateBy;
  }

  private talk(conversation: string): Talk {
    return this.talks.get(conversation) ?? this.saved(conversation) ?? NO_TALK;
  }

  /** Of an earlier life, or forgotten in memory. */
  private saved(conversation: string): Talk | undefined {
    const { store, clock } = this.options;
    const saved = store.exchanges.get(conversation);
    if (saved === undefined) return undefined;
    const read = talkSchema.safeParse(parsed(saved.body));
    if (!read.success) return undefined;
    return movedBy(read.data, clock.monotonic() - Math.max(0, clock.now() - saved.at));
  }

  /** Inside a write. */
  private change(conversation: string, talk: Talk): void {
    const { store, clock } = this.options;
    this.remember(conversation);
    this.keep(conversation, talk);
    if (roundsOf(talk) < FEWEST_SAVED) return;
    store.exchanges.set(conversation, {
      body: JSON.stringify(movedBy(talk, -clock.monotonic())),
      at: clock.now(),
    });
  }

  private remember(conversation: string): void {
    if (this.before.has(conversation)) return;
    if (this.before.size === 0) this.options.store.afterCommit(() => this.before.clear());
    this.before.set(conversation, this.talks.get(conversation));
  }

  private keep(conversation: string, talk: Talk): void {
    this.talks.delete(conversation);
    this.talks.set(conversation, talk);
    const [oldest] = this.talks.keys();
    if (this.talks.size > MOST_CONVERSATIONS && oldest !== undefined) this.talks.delete(oldest);
  }
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    // A damaged row: as none, and the next round writes it again.
    return undefined;
  }
}
