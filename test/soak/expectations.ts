import type { Ack } from '../../src/simulator/backend/frames.js';
import type { Evidence } from './evidence.js';
import type { Intents, ScheduleIntent } from './intents.js';

/** The texts that the backend said in answer to one message, in order, and its reflex if that went by socket. */
export interface Answer {
  guid: string;
  texts: readonly string[];
  reflex: string | undefined;
}

/** What the backend said to each message: of several replies under one guid they are all the same. */
export function answersIn({ journal }: Evidence): Answer[] {
  const replies = new Map(journal.replies.map(({ guid, body }) => [guid, textsOf(body)]));
  const pushed = journal.reflexes.filter(({ commandId }) => commandId !== null);
  const reflexes = new Map(pushed.map(({ guid, text }) => [guid, text]));
  return [...replies].map(([guid, texts]) => ({ guid, texts, reflex: reflexes.get(guid) }));
}

/** How often each text is to be seen: a reflex that the reply begins with is the same text, not one more. */
export function expectedTexts(intents: Intents, evidence: Evidence): Map<string, number> {
  const expected = new Map<string, number>();
  const expect = (text: string) => expected.set(text, (expected.get(text) ?? 0) + 1);
  for (const intent of intents.commands) {
    if (intent.kind === 'send') expect(intent.text);
    if (intent.kind === 'schedule' && !wasCancelled(intent, evidence.acks)) expect(intent.text);
  }
  for (const { texts, reflex } of answersIn(evidence)) {
    for (const text of texts) expect(text);
    if (reflex !== undefined && texts[0] !== reflex) expect(reflex);
  }
  return expected;
}

/** Whether the agent says that it took the text back in time. */
export function wasCancelled({ commandId }: ScheduleIntent, acks: Evidence['acks']): boolean {
  return acks.get(commandId)?.error?.startsWith('cancelled by ') ?? false;
}

/** What an ack says of a text. */
export function outcomeIn(ack: Ack): unknown {
  return ack.result?.outcome;
}

/** The three forms of a reply (protocol, "HTTP"). */
function textsOf(body: Record<string, unknown>): string[] {
  if (body.should_respond === false) return [];
  const { reply_text, reply_bubbles, reflex_message, burst_messages } = body;
  if (Array.isArray(reply_bubbles)) return reply_bubbles.map(String);
  if (typeof reply_text === 'string') return [reply_text];
  return [reflex_message, ...(Array.isArray(burst_messages) ? burst_messages : [])]
    .filter((text) => text !== undefined)
    .map(String);
}
