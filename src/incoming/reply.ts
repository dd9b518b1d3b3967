import { z } from 'zod';
import type { IncomingMessage } from '../model/incoming.js';
import type { TextRequest } from '../model/sending.js';
import { backendWords } from '../system/backendWords.js';
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
export function readStoredReply(json: string): Reply | undefined {
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
  if (!parsed.success) return invalid('the answer is no JSON object');
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

/** A field in which a reply was meant to be and cannot be read; it must not be taken for "no reply". */
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
