import { z } from 'zod';
import { sendableText } from '../system/sendableText.js';

/** A backend's answer to a message: texts to send in this order, `delayMs` apart where it says so. */
export interface Reply {
  bubbles: string[];
  delayMs: number | null;
}

export type ParsedReply = { kind: 'reply'; reply: Reply } | { kind: 'invalid'; message: string };

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
 * Where several are filled, the richest wins; empty texts are left out; `should_respond: false` means none.
 */
export function parseReply(body: unknown): ParsedReply {
  const parsed = schema.safeParse(body);
  if (!parsed.success) {
    const fields = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`);
    return { kind: 'invalid', message: fields.join('; ') };
  }
  const { should_respond, reply_text, reply_bubbles, reflex_message, burst_messages, burst_delay_ms } =
    parsed.data;
  const delayMs = burst_delay_ms === undefined || burst_delay_ms === null ? null : burst_delay_ms;
  const forms = [[reflex_message, ...(burst_messages ?? [])], reply_bubbles ?? [], [reply_text]];
  const filled = forms.map((form) => form.filter(isFilled));
  const bubbles = should_respond === false ? [] : (filled.find((form) => form.length > 0) ?? []);
  const odd = bubbles.length === 0 && should_respond !== false ? oddField(body) : undefined;
  if (odd !== undefined) return { kind: 'invalid', message: `${odd}: expected text, found something else` };
  return {
    kind: 'reply',
    reply: { bubbles, delayMs: delayMs === null ? null : Math.min(delayMs, MOST_DELAY_MS) },
  };
}

function isFilled(text: string | null | undefined): text is string {
  return typeof text === 'string' && sendableText(text).trim() !== '';
}

/** A field in which a reply was meant to be and cannot be read; it must not be taken for "no reply". */
function oddField(body: unknown): string | undefined {
  const fields = Object.entries(Object(body) as Record<string, unknown>);
  const isReadable = (value: unknown) => value === null || value === undefined || typeof value === 'string';
  return fields.find(
    ([name, value]) =>
      REPLY_FIELDS.has(name) && !(Array.isArray(value) ? value.every(isReadable) : isReadable(value)),
  )?.[0];
}

const REPLY_FIELDS: ReadonlySet<string> = new Set([
  'reply_text',
  'reply_bubbles',
  'reflex_message',
  'burst_messages',
]);
