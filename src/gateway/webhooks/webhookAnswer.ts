import type { MessageReply } from '../../model/backendBodies.js';
import { type WebhookAnswer, webhookAnswerSchema } from '../../model/gatewayEvents.js';

/** What a webhook says to a person. `invalid`: it has the fields of an answer, and they do not fit. */
export type ReadAnswer =
  | { kind: 'reply'; reply: MessageReply; texts: readonly string[]; answer: WebhookAnswer }
  | { kind: 'none' }
  | { kind: 'invalid' };

/** Reads the answer to `message.received`; `body` null: it was longer than is read. */
export function readWebhookAnswer(body: string | null): ReadAnswer {
  if (body === null) return { kind: 'invalid' };
  const value = jsonOrNone(body);
  if (typeof value !== 'object' || value === null || !('reflex' in value || 'bubbles' in value))
    return { kind: 'none' };
  const parsed = webhookAnswerSchema.safeParse(value);
  if (!parsed.success) return { kind: 'invalid' };
  const { reflex, bubbles = [], bubble_delay_ms: delay } = parsed.data;
  const texts = [...(reflex === undefined ? [] : [reflex]), ...bubbles];
  if (texts.length === 0) return { kind: 'none' };
  const reply: MessageReply = {
    should_respond: true,
    burst_messages: [...bubbles],
    ...(reflex === undefined ? {} : { reflex_message: reflex }),
    ...(delay === undefined ? {} : { burst_delay_ms: delay }),
  };
  return { kind: 'reply', reply, texts, answer: parsed.data };
}

/** Many receivers answer with a word or a page: that is no answer to a person. */
function jsonOrNone(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
