import { AnswersToOthers, retryOf } from '../../src/incoming/posts.js';
import type { Others } from '../../src/store/incomingRecord.js';

/** Posts under way at a time. */
const SLOTS = 64;
const MOST_OTHERS = 500;

export interface Traffic {
  readonly messages: number;
  /** Ms from one arrival to the next; 0: all at once. */
  readonly everyMs: number;
  /** How long a post takes to end, ms. */
  readonly postMs: number;
  /** The chance that a post that ends then (ms) fails. */
  readonly failing: (at: number) => number;
  /** Messages, by number, that always fail. */
  readonly poison?: ReadonlySet<number>;
  readonly random: () => number;
  /** Each message is given up at that age, as the agent does. */
  readonly mostAgeMs?: number;
}

export interface SetAside {
  readonly message: number;
  readonly strikes: number;
  /** Since its first post. */
  readonly afterMs: number;
}

interface Message {
  readonly number: number;
  readonly firstPostedAt: number;
  attempts: number;
  strikes: number;
  firstStrikeAt: number | null;
}

/** Plays messages of as many conversations to a backend that fails at random, by the rule that sets aside. Returns what was set aside. */
export function playFlaky(traffic: Traffic): SetAside[] {
  const { messages, everyMs, postMs, failing, random, poison, mostAgeMs = 6 * 3_600_000 } = traffic;
  const answers = new AnswersToOthers();
  const answered: { at: number; failures: number }[] = [];
  const setAside: SetAside[] = [];
  const timers = new Heap();
  const waiting: (() => void)[] = [];
  let free = SLOTS;
  let now = 0;

  const within = (ms: number, most: number): Others => {
    let [count, failures] = [0, 0];
    for (let index = answered.length - 1; index >= 0 && count < MOST_OTHERS; index--) {
      const one = answered[index];
      if (one === undefined || one.at < now - ms) break;
      count += 1;
      failures += Math.min(one.failures, most);
    }
    return { answered: count, failures };
  };
  const post = (message: Message): void => {
    if (free === 0) {
      waiting.push(() => post(message));
      return;
    }
    free -= 1;
    answers.began(message.number);
    message.attempts += 1;
    timers.add(now + postMs, () => {
      free += 1;
      end(message);
      waiting.shift()?.();
    });
  };
  const end = (message: Message): void => {
    const { number } = message;
    if (!poison?.has(number) && random() >= failing(now)) {
      answers.answered(number);
      answered.push({ at: now, failures: message.attempts - 1 });
      return;
    }
    const afterMs = now - message.firstPostedAt;
    if (afterMs > mostAgeMs) {
      answers.forget(number);
      return;
    }
    const failure = { kind: 'retry', cause: 'server', status: 503, detail: 'HTTP 503' } as const;
    const next = retryOf(message, failure, now, { isAnother: answers.any(number), within }, random);
    if (next.kind === 'set_aside') {
      answers.forget(number);
      setAside.push({ message: number, strikes: message.strikes + 1, afterMs });
      return;
    }
    answers.failed(number);
    Object.assign(message, { strikes: next.strikes, firstStrikeAt: next.firstStrikeAt });
    timers.add(next.retryAt, () => post(message));
  };
  for (let number = 0; number < messages; number++) {
    const at = number * everyMs;
    timers.add(at, () => post({ number, firstPostedAt: at, attempts: 0, strikes: 0, firstStrikeAt: null }));
  }
  for (let next = timers.take(); next !== undefined; next = timers.take()) {
    now = next.at;
    next.run();
  }
  return setAside;
}

interface Due {
  readonly at: number;
  readonly run: () => void;
}

/** What is due, the earliest first. */
class Heap {
  private readonly items: Due[] = [];

  add(at: number, run: () => void): void {
    const { items } = this;
    let index = items.length;
    for (;;) {
      const parent = (index - 1) >> 1;
      const above = items[parent];
      if (index === 0 || above === undefined || above.at <= at) break;
      items[index] = above;
      index = parent;
    }
    items[index] = { at, run };
  }

  take(): Due | undefined {
    const { items } = this;
    const first = items[0];
    const last = items.pop();
    if (last === undefined || items.length === 0) return first;
    let index = 0;
    for (;;) {
      const left = items[2 * index + 1];
      const right = items[2 * index + 2];
      const child = right !== undefined && left !== undefined && right.at < left.at ? right : left;
      if (child === undefined || child.at >= last.at) break;
      const at = child === left ? 2 * index + 1 : 2 * index + 2;
      items[index] = child;
      index = at;
    }
    items[index] = last;
    return first;
  }
}
