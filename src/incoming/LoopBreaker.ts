import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { IncomingMessage } from '../model/incoming.js';
import type { Store } from '../store/Store.js';
import type { Clock } from '../system/clock.js';

interface LoopBreakerOptions {
  store: Pick<Store, 'exchanges' | 'onCommit' | 'onRollback'>;
  clock: Clock;
  /** Whether the operator wants it. */
  isOn: () => boolean;
  /** A text as it compares: what Messages changes on the way is levelled out. */
  normalise: (text: string) => string;
  /** Inside a write: no person is at the other end. Called once; the counting begins again. */
  onLoop: (conversation: string, loop: Loop) => void;
}

/** A text of ours, by its seq in the ledger; `text` is a file's name where it is a file. */
interface CountedSend {
  seq: number;
  conversation: string;
  text: string;
  answers: string | null;
}

/** How many characters of a text are read: a bound on the work for any text. */
const COMPARED = 10_000;
/** Conversations are forgotten in memory, the one that was silent the longest first, beyond so many. */
const MOST_CONVERSATIONS = 1_000;
/** A conversation with fewer rounds is not worth a row: a restart may count these again. */
const FEWEST_SAVED = 3;

/**
 * Detects loops between two machines. The counts are stored in the write that stores the message or the outcome, so
 * counting continues after a restart; counts of a write that is rolled back are reverted.
 */
export class LoopBreaker {
  private readonly talks = new Map<string, Talk>();
  /** What each conversation was before the write that is under way. */
  private readonly before = new Map<string, Talk | undefined>();
  private readonly startedAt: number;

  constructor(private readonly options: LoopBreakerOptions) {
    this.startedAt = options.clock.now();
    options.store.onCommit(() => this.before.clear());
    options.store.onRollback(() => {
      for (const [conversation, talk] of this.before) {
        if (talk === undefined) this.talks.delete(conversation);
        else this.talks.set(conversation, talk);
      }
      this.before.clear();
    });
  }

  /** Inside a write: a person or machine wrote this. */
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
    // No message was received there: nothing to count.
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
    if (!this.before.has(conversation)) this.before.set(conversation, this.talks.get(conversation));
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

/**
 * Distinguishes two machines that answer each other from a person, as a pure state machine. A *round* is: a sender
 * writes, we answer, and the same sender writes again. All times are in ms on one clock that the caller chooses.
 */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** A person reads our text and types an answer: never sooner than this after it. */
const ANSWER = { baseMs: SECOND, msPerCharacter: 120, mostMs: 2 * SECOND };
/** A person who types without waiting for us: never sooner than this after the previous message. */
const TYPING = { baseMs: SECOND, msPerCharacter: 50, mostMs: 2.5 * SECOND };

/**
 * A sender who was silent for longer and then writes right after our text answers it; in a group it may be another
 * person's text.
 */
const SILENT_MS = 10 * SECOND;

/** At machine speed: so many rounds, each that a person could have written taking a part of one back. */
const SPEED = { rounds: 12, takenBack: 0.25, pauseMs: MINUTE };
/**
 * The weight of a round at machine speed if their text fell between two of one reply: a person who reads along may
 * write during it.
 */
const INTERRUPTION = 0.25;
/** The same text answered by the same whole reply. */
const REPEATS = [
  { rounds: 8, withinMs: 5 * MINUTE, atMachineSpeed: true },
  { rounds: 24, withinMs: HOUR, atMachineSpeed: false },
] as const;
/** Waiting times so even that no person keeps them: the 90th percentile is less than `ratio` times the 10th. */
const EVEN = [
  { rounds: 30, ratio: 1.25 },
  { rounds: 80, ratio: 1.6 },
] as const;
/** What polling, scheduling and the network add to each waiting time. */
const EVEN_NOISE_MS = 200;
/** Rounds without a pause that a person would have made meanwhile. */
const ENDLESS = [
  { rounds: 400, pauseMs: 2 * MINUTE },
  { rounds: 1_500, pauseMs: 3 * HOUR },
] as const;
/** A text of ours that names no message is an answer if it is sent this soon after one. */
const UNNAMED_ANSWER_MS = MINUTE;

const MOST_ROUNDS_KEPT = 80;
const MOST_VOICES = 20;
const MOST_SEQS = 16;

const roundSchema = z.object({
  at: z.number(),
  /** What was received and what was answered; null if either had no words. */
  exchange: z.string().nullable(),
  /** From our last text to their next; null if they made a pause. */
  waitMs: z.number().nullable(),
  atMachineSpeed: z.boolean(),
});

const voiceSchema = z.object({
  heard: z.string().nullable(),
  at: z.number(),
  sentAt: z.number(),
  /** All that we wrote since, as one; null: nothing yet. */
  answer: z.object({ words: z.string(), since: z.number() }).nullable(),
  speed: z.number(),
  /** Rounds since the last pause, for each of ENDLESS. */
  runs: z.array(z.number()),
  rounds: z.array(roundSchema),
  /** The last round counts as one at machine speed only because they were silent for long before. */
  afterSilence: z.boolean().default(false),
});

/** What is remembered of one conversation: hashes and times, no words. */
const talkSchema = z.object({
  ourLastAt: z.number(),
  /** Our texts that were counted last, by their seq. */
  counted: z.array(z.number()),
  /** The message that our last text answers, as a hash; null if it names none. */
  answered: z.string().nullable().default(null),
  /** By sender, the most recent last. */
  voices: z.array(z.tuple([z.string(), voiceSchema])),
});

type Talk = Readonly<z.infer<typeof talkSchema>>;
type Voice = Readonly<z.infer<typeof voiceSchema>>;
type Round = z.infer<typeof roundSchema>;

/** A text of ours. `words` is empty for none that compare; `answers` is the guid of the message that it names, null for none. */
interface OurText {
  seq: number;
  words: string;
  at: number;
  answers: string | null;
}

/** A message. `words` is the text as it compares, `characters` its length as written; `sentAt` is by the sender's clock. */
interface TheirText {
  sender: string;
  words: string;
  characters: number;
  at: number;
  sentAt: number;
}

/** repeat: the same exchange again and again; speed: faster than a person; even: like a clock; endless: without a pause. */
export type LoopPattern = 'repeat' | 'speed' | 'even' | 'endless';

/** `exchanges`: how many rounds say so. */
export interface Loop {
  pattern: LoopPattern;
  exchanges: number;
}

export const NO_TALK: Talk = { ourLastAt: Number.NEGATIVE_INFINITY, counted: [], answered: null, voices: [] };

/** We write this now. The same `seq` again only moves the time at which we wrote last. */
export function weWrote(talk: Talk, { seq, words, at, answers }: OurText): Talk {
  const ourLastAt = Math.max(talk.ourLastAt, at);
  if (talk.counted.includes(seq)) return { ...talk, ourLastAt };
  const answered = answers === null ? null : joined('', answers);
  const goesOn = answered !== null && answered === talk.answered;
  const voices = talk.voices.map(([sender, voice]): [string, Voice] => {
    if (voice.answer === null && answers === null && at - voice.at > UNNAMED_ANSWER_MS)
      return [sender, voice];
    const { words: before = '', since = at } = voice.answer ?? {};
    const counted = voice.answer === null && goesOn ? interrupted(voice) : voice;
    return [sender, { ...counted, answer: { words: joined(before, words), since } }];
  });
  return { ourLastAt, counted: [...talk.counted, seq].slice(-MOST_SEQS), answered, voices: copies(voices) };
}

/** A sender wrote this. `loop` is set once it is clear that it is not a person. */
export function theyWrote(talk: Talk, text: TheirText): { talk: Talk; loop: Loop | undefined } {
  const known = talk.voices.find(([sender]) => sender === text.sender)?.[1];
  const heard = text.words === '' ? null : joined('', text.words);
  const next = known === undefined ? firstHeard(heard, text) : heardAgain(talk, known, heard, text);
  const others = talk.voices.filter(([sender]) => sender !== text.sender);
  const voices = [...others, [text.sender, next] as [string, Voice]].slice(-MOST_VOICES);
  // Only a round that was closed just now can say more than was said before.
  const isClosed = known !== undefined && known.answer !== null;
  return { talk: { ...talk, voices: copies(voices) }, loop: isClosed ? loopIn(next) : undefined };
}

/** How many rounds were counted in it, of the sender with the most. */
function roundsOf(talk: Talk): number {
  return Math.max(0, ...talk.voices.map(([, { rounds }]) => rounds.length));
}

/** The same with every time moved by `ms`: for another clock, or another start of it. */
function movedBy(talk: Talk, ms: number): Talk {
  const voices = talk.voices.map(([sender, voice]): [string, Voice] => {
    const answer = voice.answer === null ? null : { ...voice.answer, since: voice.answer.since + ms };
    const rounds = voice.rounds.map((round) => ({ ...round, at: round.at + ms }));
    return [sender, { ...voice, at: voice.at + ms, answer, rounds }];
  });
  return { ...talk, ourLastAt: talk.ourLastAt + ms, voices: copies(voices) };
}

function firstHeard(heard: string | null, { at, sentAt }: TheirText): Voice {
  const runs = ENDLESS.map(() => 0);
  return { heard, at, sentAt, answer: null, speed: 0, runs, rounds: [], afterSilence: false };
}

/** We went on with a reply after they wrote: being quick after that reply's last text says little. */
function interrupted(voice: Voice): Voice {
  const last = voice.rounds.at(-1);
  if (!voice.afterSilence || last === undefined) return voice;
  return {
    ...voice,
    speed: Math.max(0, voice.speed - 1 + INTERRUPTION),
    rounds: [...voice.rounds.slice(0, -1), { ...last, atMachineSpeed: false }],
    afterSilence: false,
  };
}

function heardAgain(talk: Talk, voice: Voice, heard: string | null, text: TheirText): Voice {
  const { at, sentAt } = text;
  if (voice.answer === null) {
    // We have not answered yet: it belongs to the same turn.
    const both = heard === null || voice.heard === null ? (heard ?? voice.heard) : joined(voice.heard, heard);
    return { ...voice, heard: both, at, sentAt };
  }
  const waitMs = Math.max(0, at - talk.ourLastAt);
  const pauseMs = Math.max(0, at - voice.answer.since);
  const silentMs = Math.max(at - voice.at, sentAt - voice.sentAt);
  const typedMs = talk.voices.length === 1 && silentMs > SILENT_MS ? 0 : silentMs;
  const atMachineSpeed = isAtMachineSpeed(text, waitMs, typedMs);
  const round: Round = {
    at,
    exchange:
      voice.heard === null || voice.answer.words === '' ? null : joined(voice.heard, voice.answer.words),
    waitMs: pauseMs < SPEED.pauseMs ? waitMs : null,
    atMachineSpeed,
  };
  return {
    heard,
    at,
    sentAt,
    answer: null,
    speed: speedAfter(pauseMs < SPEED.pauseMs ? voice.speed : 0, atMachineSpeed, text),
    runs: ENDLESS.map((rule, index) => (pauseMs < rule.pauseMs ? (voice.runs[index] ?? 0) + 1 : 0)),
    rounds: [...voice.rounds, round].slice(-MOST_ROUNDS_KEPT),
    afterSilence: atMachineSpeed && !isAtMachineSpeed(text, waitMs, silentMs),
  };
}

function isAtMachineSpeed({ characters }: TheirText, waitMs: number, typedMs: number): boolean {
  // Several photos are sent with one touch.
  if (characters === 0) return false;
  return waitMs < leastMs(ANSWER, characters) && typedMs < leastMs(TYPING, characters);
}

function leastMs({ baseMs, msPerCharacter, mostMs }: typeof ANSWER, characters: number): number {
  return Math.min(mostMs, baseMs + msPerCharacter * characters);
}

function speedAfter(before: number, atMachineSpeed: boolean, { characters }: TheirText): number {
  if (atMachineSpeed) return before + 1;
  return characters === 0 ? before : Math.max(0, before - SPEED.takenBack);
}

function loopIn(voice: Voice): Loop | undefined {
  if (voice.speed >= SPEED.rounds) return { pattern: 'speed', exchanges: SPEED.rounds };
  const last = voice.rounds.at(-1);
  for (const rule of REPEATS) {
    const same = voice.rounds.filter(
      ({ exchange, at, atMachineSpeed }) =>
        exchange !== null &&
        exchange === last?.exchange &&
        last.at - at <= rule.withinMs &&
        (atMachineSpeed || !rule.atMachineSpeed),
    );
    if (same.length >= rule.rounds) return { pattern: 'repeat', exchanges: same.length };
  }
  for (const { rounds, ratio } of EVEN) {
    if (isEven(voice.rounds.slice(-rounds), rounds, ratio)) return { pattern: 'even', exchanges: rounds };
  }
  for (const [index, { rounds }] of ENDLESS.entries()) {
    if ((voice.runs[index] ?? 0) >= rounds) return { pattern: 'endless', exchanges: rounds };
  }
  return undefined;
}

function isEven(rounds: readonly Round[], count: number, ratio: number): boolean {
  const waits = rounds.flatMap(({ waitMs }) => (waitMs === null ? [] : [waitMs + EVEN_NOISE_MS]));
  if (waits.length < count) return false;
  waits.sort((a, b) => a - b);
  const low = waits[Math.floor(count * 0.1)] ?? 0;
  const high = waits[Math.ceil(count * 0.9) - 1] ?? 0;
  return high < low * ratio;
}

function joined(before: string, words: string): string {
  if (words === '') return before;
  return createHash('sha1').update(`${before}\0${words}`).digest('base64').slice(0, 12);
}

/** The schema's arrays are mutable; what is handed on is never changed in place. */
function copies(voices: readonly (readonly [string, Voice])[]): [string, z.infer<typeof voiceSchema>][] {
  return voices.map(([sender, voice]) => [sender, { ...voice }]);
}
