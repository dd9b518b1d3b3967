import { createHash } from 'node:crypto';
import type { Clock } from '../system/clock.js';

export interface LoopBreakerOptions {
  clock: Clock;
  /** A text as it compares: what Messages changes on the way is levelled out. */
  normalise: (text: string) => string;
  /** The same exchange was had so often. Called once; the counting begins anew. */
  onLoop: (conversation: string, exchanges: number) => void;
}

const EXCHANGES = 8;
const WITHIN_MS = 5 * 60_000;
/** Conversations are forgotten, the one that was silent the longest first, beyond so many. */
const MOST_CONVERSATIONS = 1_000;
/** One with more different exchanges than this within the time is no loop. */
const MOST_EXCHANGES = 200;

interface Talk {
  heard: string | undefined;
  /** How often that was heard with nothing else between, and which such run it is. */
  heardTimes: number;
  run: number;
  /** By what was heard and what was said to it. */
  exchanges: Map<string, Exchange>;
}

interface Exchange {
  /** When it was had. */
  times: readonly number[];
  /** The run in which it was had last, and how often in it. */
  run: number;
  inRun: number;
}

/**
 * Notices that two machines answer each other: in one conversation the same text was answered by the same text eight
 * times within five minutes, to a message of its own each time. Media without a text tell nothing. Keeps hashes in memory
 * only; a restart begins to count anew.
 */
export class LoopBreaker {
  private readonly talks = new Map<string, Talk>();

  constructor(private readonly options: LoopBreakerOptions) {}

  /** Somebody wrote this. */
  received(conversation: string, text: string): void {
    if (this.options.normalise(text) === '') return;
    const talk = this.talk(conversation);
    const heard = this.hash(text);
    if (heard === talk.heard) {
      talk.heardTimes += 1;
      return;
    }
    talk.heard = heard;
    talk.heardTimes = 1;
    talk.run += 1;
  }

  /** We sent this. */
  sent(conversation: string, text: string): void {
    const talk = this.talks.get(conversation);
    if (talk?.heard === undefined) return;
    const now = this.options.clock.monotonic();
    const key = `${talk.heard} ${this.hash(text)}`;
    const known = talk.exchanges.get(key);
    const inRun = (known?.run === talk.run ? known.inRun : 0) + 1;
    if (inRun > talk.heardTimes) return;
    const times = [...(known?.times ?? []), now].filter((at) => now - at <= WITHIN_MS);
    talk.exchanges.delete(key);
    talk.exchanges.set(key, { times, run: talk.run, inRun });
    const [oldest] = talk.exchanges.keys();
    if (talk.exchanges.size > MOST_EXCHANGES && oldest !== undefined) talk.exchanges.delete(oldest);
    if (times.length < EXCHANGES) return;
    this.talks.delete(conversation);
    this.options.onLoop(conversation, times.length);
  }

  private talk(conversation: string): Talk {
    const talk = this.talks.get(conversation) ?? {
      heard: undefined,
      heardTimes: 0,
      run: 0,
      exchanges: new Map(),
    };
    this.talks.delete(conversation);
    this.talks.set(conversation, talk);
    const [oldest] = this.talks.keys();
    if (this.talks.size > MOST_CONVERSATIONS && oldest !== undefined) this.talks.delete(oldest);
    return talk;
  }

  private hash(text: string): string {
    return createHash('sha1').update(this.options.normalise(text)).digest('base64');
  }
}
