import { z } from 'zod';
import type { IncomingMessage } from '../model/incoming.js';
import type { TextRequest } from '../model/sending.js';
import type { HeldReplyRecord, IncomingRecord } from '../store/incomingRecord.js';
import type { Store } from '../store/Store.js';
import { backendWords } from '../system/backendWords.js';
import type { Clock, Timer } from '../system/clock.js';
import { INPUT_LIMITS } from '../system/inputLimits.js';
import { sendableText } from '../system/utf8.js';

/** A backend's answer to a message: texts to send in this order, `delayMs` apart where it says so. */
export interface Reply {
  bubbles: string[];
  /** How many more there were than are sent (INPUT_LIMITS.replyBubbles). */
  dropped?: number;
  delayMs: number | null;
}

const storedReply = z.object({
  bubbles: z.array(z.string().min(1)).min(1),
  delayMs: z.number().nonnegative().nullable(),
});

/** A reply as `JSON.stringify` stored it; undefined where the stored value is damaged. Never throws. */
function readStoredReply(json: string): Reply | undefined {
  try {
    return storedReply.safeParse(JSON.parse(json)).data;
  } catch {
    return undefined;
  }
}

/** `fault.words` is what the backend says of an error; `detail` never repeats anything of the body. */
export type ParsedReply =
  | { kind: 'reply'; reply: Reply }
  | { kind: 'invalid'; fault: { detail: string; words?: string } };

const MOST_DELAY_MS = 60_000;

/** A field of a wrong kind counts as absent; in a list, what is no text. One odd field must not cost the whole reply. */
const text = z.string().nullish().catch(null);
const texts = z.preprocess(
  (value) => (typeof value === 'string' ? [value] : value),
  z
    .array(z.unknown())
    .nullish()
    .catch(null)
    .transform((items) => items?.filter((item) => typeof item === 'string')),
);

const schema = z.object({
  should_respond: z.preprocess(
    (value) => (typeof value === 'string' ? value.trim().toLowerCase() !== 'false' : value),
    z.boolean().nullish().catch(null),
  ),
  reply_text: text,
  reply_bubbles: texts,
  reflex_message: text,
  burst_messages: texts,
  burst_delay_ms: z.coerce.number().nonnegative().nullish().catch(null),
});

/**
 * Reads any of the three forms of a reply: `reply_text`, `reply_bubbles`, or `reflex_message` with `burst_messages`.
 * Where several are filled, the richest wins; empty texts are left out; `should_respond: false` means none. A reply without texts
 * has to say so: by `should_respond: false`, or by one of the fields being empty or null. A body that says nothing of the
 * kind, or that reports an error, is no reply.
 */
export function parseReply(body: unknown): ParsedReply {
  const parsed = schema.safeParse(body);
  if (!parsed.success) return invalid('the answer is not a JSON object');
  const { should_respond, reply_text, reply_bubbles, reflex_message, burst_messages, burst_delay_ms } =
    parsed.data;
  const delayMs = burst_delay_ms === undefined || burst_delay_ms === null ? null : burst_delay_ms;
  const forms = [[reflex_message, ...(burst_messages ?? [])], reply_bubbles ?? [], [reply_text]];
  const filled = forms.map((form) => form.filter(isFilled));
  const said = should_respond === false ? [] : (filled.find((form) => form.length > 0) ?? []);
  const bubbles = said.slice(0, INPUT_LIMITS.replyBubbles);
  if (bubbles.length === 0) {
    const given = new Map(Object.entries(Object(body) as Record<string, unknown>));
    if (reportsError(given)) {
      const words = backendWords(body);
      return invalid('the answer reports an error', words);
    }
    if (should_respond !== false) {
      const odd = oddField(given);
      if (odd !== undefined) return invalid(`${odd}: expected text, found something else`);
      if (![...REPLY_FIELDS].some((name) => given.has(name)))
        return invalid('the answer has none of the fields of a reply');
    }
  }
  return {
    kind: 'reply',
    reply: {
      bubbles,
      ...(said.length > bubbles.length ? { dropped: said.length - bubbles.length } : {}),
      delayMs: delayMs === null ? null : Math.min(delayMs, MOST_DELAY_MS),
    },
  };
}

function invalid(detail: string, words?: string): ParsedReply {
  return { kind: 'invalid', fault: words === undefined ? { detail } : { detail, words } };
}

/** An error that is spelled out, or an outcome that is denied, in an answer whose status says otherwise. */
function reportsError(given: ReadonlyMap<string, unknown>): boolean {
  const isSaid = (value: unknown) =>
    value !== undefined &&
    value !== null &&
    value !== false &&
    value !== '' &&
    !(Array.isArray(value) && value.length === 0);
  if (isSaid(given.get('error')) || isSaid(given.get('errors'))) return true;
  return given.get('success') === false || given.get('ok') === false;
}

function isFilled(text: string | null | undefined): text is string {
  return typeof text === 'string' && sendableText(text).trim() !== '';
}

/** A field that should have a reply but cannot be read; it must not count as "no reply". */
function oddField(given: ReadonlyMap<string, unknown>): string | undefined {
  const isReadable = (value: unknown) => value === null || value === undefined || typeof value === 'string';
  const odd = [...given].find(
    ([name, value]) =>
      REPLY_FIELDS.has(name) && !(Array.isArray(value) ? value.every(isReadable) : isReadable(value)),
  );
  return odd?.[0];
}

const REPLY_FIELDS: ReadonlySet<string> = new Set([
  'reply_text',
  'reply_bubbles',
  'reflex_message',
  'burst_messages',
]);

/** Replies are neither urgent nor to be left for later; the same rank as a normal command. */
const REPLY_PRIORITY = 2;

/** The texts that a reply is made of, in order, for the lane of its message. Their ids are made of the message's guid: the same reply again is known. */
export function textsOf(message: IncomingMessage, reply: Reply, bubbleDelayMs: number): TextRequest[] {
  const { guid, conversation, chatGuid } = message;
  const pauseMs = reply.delayMs ?? bubbleDelayMs;
  return reply.bubbles.map((text, index) => ({
    id: `reply:${guid}:${index}`,
    conversation,
    threadId: chatGuid,
    text,
    role: index === 0 ? 'first' : 'bubble',
    priority: REPLY_PRIORITY,
    pauseMs: index === 0 ? 0 : pauseMs,
    answers: guid,
  }));
}

/** How long the reply to a message waits for the replies to earlier messages of its conversation. */
export const LONGEST_HOLD_MS = 10_000;
const STORE_RETRY_MS = 2_000;

/**
 * Which held replies of a conversation go out now, in their order. One goes when no earlier message is unanswered
 * (`oldestUnanswered`: the lowest number of one), or when it has waited long enough (`isDue`); those to messages before a
 * due one go with it.
 */
export function repliesToRelease<Held extends { readonly sequence: number; readonly isDue: boolean }>(
  held: readonly Held[],
  oldestUnanswered: number | null,
): Held[] {
  const inOrder = held.toSorted((a, b) => a.sequence - b.sequence);
  const lastDue = inOrder.findLastIndex(({ isDue }) => isDue);
  return inOrder.filter(
    ({ sequence }, index) => index <= lastDue || oldestUnanswered === null || sequence < oldestUnanswered,
  );
}

interface HeldRepliesOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** Puts the texts of a reply into their queue; called inside a write. */
  readonly enqueue: (message: IncomingRecord['message'], reply: Reply) => void;
  /** Called inside a write: the stored reply to this message is damaged. It is dropped; nothing of it was sent. */
  readonly onDamaged: (guid: string, conversation: string) => void;
}

/**
 * Lets the replies of a conversation go out in the order of its messages where their answers arrive in another one: that
 * to a later message is held, in the store, while an earlier message that was posted is unanswered, for 10 s at most.
 */
export class HeldReplies {
  /** When the hold of each reply ends, by its message's seq: monotonic ms. */
  private readonly ends = new Map<number, { at: number; conversation: string }>();
  private timer: Timer | undefined;
  private isRunning = false;

  constructor(private readonly options: HeldRepliesOptions) {}

  /** Takes up what the last run left. It is held as long as if it had come now: by no clock is it known how long it was held. */
  start(): void {
    this.isRunning = true;
    const { store } = this.options;
    for (const conversation of store.incoming.heldConversations()) {
      for (const held of store.incoming.heldReplies(conversation)) this.note(held.seq, conversation);
      this.tryRelease(conversation);
    }
    this.arm();
  }

  stop(): void {
    this.isRunning = false;
    this.timer?.cancel();
    this.timer = undefined;
  }

  /** Inside the write that marks the message as answered: sends the reply on its way, or holds it. True if it is held. */
  take(record: IncomingRecord, reply: Reply): boolean {
    const { store, enqueue } = this.options;
    const { conversation } = record.message;
    if (reply.bubbles.length === 0) return false;
    const oldest = store.incoming.oldestNumbered(conversation);
    if (record.sequence === null || oldest === null || record.sequence < oldest) {
      enqueue(record.message, reply);
      return false;
    }
    store.incoming.holdReply(record.seq, JSON.stringify(reply));
    this.note(record.seq, conversation);
    store.afterCommit(() => this.arm());
    return true;
  }

  /** Inside a write, after a message of the conversation was settled: lets go what need not wait any more. */
  release(conversation: string): void {
    if (this.ends.size === 0) return;
    const { store, clock, enqueue, onDamaged } = this.options;
    const records = store.incoming.heldReplies(conversation);
    if (records.length === 0) return;
    const now = clock.monotonic();
    const held = records.map((record) => ({
      ...record,
      isDue: (this.ends.get(record.seq)?.at ?? now) <= now,
    }));
    const released = repliesToRelease(held, store.incoming.oldestNumbered(conversation));
    for (const { seq, guid, message, reply: stored } of released) {
      const reply = readStoredReply(stored);
      // In this order: while it is held, its message is known to the pairing of duplicates, however long ago it was answered.
      if (message === null || reply === undefined) onDamaged(guid, conversation);
      else enqueue(message, reply);
      store.incoming.holdReply(seq, null);
    }
    store.afterCommit(() => this.forget(released));
  }

  /** Moves the held replies of `from` to `to`, because the two are one conversation. Returns the undo function. */
  move(from: string, to: string): () => void {
    const moved = [...this.ends].filter(([, { conversation }]) => conversation === from);
    for (const [seq, end] of moved) this.ends.set(seq, { ...end, conversation: to });
    return () => {
      for (const [seq, end] of moved) if (this.ends.has(seq)) this.ends.set(seq, end);
    };
  }

  private forget(released: readonly HeldReplyRecord[]): void {
    for (const { seq } of released) this.ends.delete(seq);
  }

  private note(seq: number, conversation: string): void {
    this.ends.set(seq, { at: this.options.clock.monotonic() + LONGEST_HOLD_MS, conversation });
  }

  private arm(): void {
    if (!this.isRunning || this.timer !== undefined || this.ends.size === 0) return;
    const first = Math.min(...[...this.ends.values()].map(({ at }) => at));
    this.timer = this.options.clock.after(first - this.options.clock.monotonic(), () => this.fire());
  }

  private fire(): void {
    this.timer = undefined;
    const now = this.options.clock.monotonic();
    for (const [seq, { at, conversation }] of [...this.ends]) {
      if (at > now || !this.ends.has(seq)) continue;
      const released = this.tryRelease(conversation);
      // Whatever is left of it went with a rollback, or is tried again.
      if (released) this.ends.delete(seq);
      else this.ends.set(seq, { at: now + STORE_RETRY_MS, conversation });
    }
    this.arm();
  }

  private tryRelease(conversation: string): boolean {
    return this.options.store.tryWrite(() => this.release(conversation));
  }
}
