import { z } from 'zod';

/** A backend's answer to a message: texts to send in this order, `delayMs` apart where it says so. */
export interface Reply {
  bubbles: string[];
  delayMs: number | null;
}

export type ParsedReply = { kind: 'reply'; reply: Reply } | { kind: 'invalid'; message: string };

const MOST_DELAY_MS = 60_000;

const schema = z.object({
  should_respond: z.boolean().nullish(),
  reply_text: z.string().nullish(),
  reply_bubbles: z.array(z.string()).nullish(),
  reflex_message: z.string().nullish(),
  burst_messages: z.array(z.string()).nullish(),
  burst_delay_ms: z.coerce.number().nonnegative().nullish(),
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
  return {
    kind: 'reply',
    reply: { bubbles, delayMs: delayMs === null ? null : Math.min(delayMs, MOST_DELAY_MS) },
  };
}

function isFilled(text: string | null | undefined): text is string {
  return typeof text === 'string' && text.trim() !== '';
}
