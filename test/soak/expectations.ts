import type { Ack } from '../../src/gateway/agents/frames.js';
import type { Evidence } from './evidence.js';
import { guidsOf, type Intents, type MessageIntent, type ScheduleIntent } from './intents.js';
import type { Expected } from './rules.js';

/** A daemon that is busy, or was killed meanwhile, has a reply or a reflex so much later than it was sent. */
const READ_WITHIN_MS = 10_000;

/** The texts that the backend sent in answer to one message, in order, and its reflex if that was sent by socket. */
export interface Answer {
  guid: string;
  texts: readonly string[];
  reflex: string | undefined;
  /**
   * By how many commands the reflex was sent: a message that is posted under another guid is another one for the
   * backend.
   */
  reflexes: number;
}

/** The answer of the backend to each message: several replies under one guid are all the same. */
export function answersIn({ journal }: Evidence): Answer[] {
  const replies = new Map(journal.replies.map(({ guid, body }) => [guid, textsOf(body)]));
  const pushed = journal.reflexes.filter(({ commandId }) => commandId !== null);
  const reflexes = new Map(pushed.map(({ guid, text }) => [guid, text]));
  return [...replies].map(([guid, texts]) => {
    const reflex = reflexes.get(guid);
    return { guid, texts, reflex, reflexes: reflex === undefined ? 0 : 1 };
  });
}

/**
 * How often each text is to be seen: a reflex that the reply begins with is the same text, not one more. It may be
 * seen twice only where it names no message and another one of its conversation was open (protocol, "The reflex").
 * The answer to an unsent message may be sent or not, whichever came first.
 */
export function expectedTexts(intents: Intents, evidence: Evidence): Map<string, Expected> {
  const expected = new Map<string, Expected>();
  const expect = (text: string, isSure = true) => {
    const { least, most } = expected.get(text) ?? { least: 0, most: 0 };
    expected.set(text, { least: least + (isSure ? 1 : 0), most: most + 1 });
  };
  for (const intent of intents.commands) {
    if (intent.kind === 'send') expect(intent.text);
    if (intent.kind !== 'schedule') continue;
    if (wasForgotten(intent, evidence)) expect(intent.text, false);
    else if (!wasCancelled(intent, evidence.acks)) expect(intent.text);
  }
  const unsent = new Set(intents.messages.filter(({ fate }) => fate === 'unsent').flatMap(guidsOf));
  for (const { guid, texts, reflex, reflexes } of answersByMessage(intents, evidence)) {
    const isSure = !unsent.has(guid);
    for (const text of texts) expect(text, isSure);
    if (reflex === undefined) continue;
    if (texts[0] !== reflex) expect(reflex, isSure);
    else if (isAmbiguous(guid, intents, evidence))
      for (let nth = 0; nth < reflexes; nth++) expect(reflex, false);
  }
  return expected;
}

/**
 * The same, once for each message: a restored store may know a message that iCloud rewrote by another guid than the
 * one before it, and the backend answers that as another message. One of the answers is sent: the one of which more
 * was.
 */
function answersByMessage({ messages }: Intents, evidence: Evidence): Answer[] {
  const answers = answersIn(evidence);
  if (evidence.restores.length === 0) return answers;
  const sent = new Set(evidence.sent);
  const countSent = ({ texts }: Answer) => texts.filter((text) => sent.has(text)).length;
  const merged = new Map<string, Answer>();
  for (const answer of answers) {
    const message = messages.find((one) => guidsOf(one).includes(answer.guid));
    const name = message?.guid ?? answer.guid;
    const known = merged.get(name);
    const reflex = known?.reflex ?? answer.reflex;
    const reflexes = (known?.reflexes ?? 0) + answer.reflexes;
    const said = known !== undefined && countSent(known) >= countSent(answer) ? known : answer;
    merged.set(name, { ...said, reflex, reflexes });
  }
  return [...merged.values()];
}

/** Whether the reflex that answers this message may have been taken for another message's, which was open at the same time. */
function isAmbiguous(guid: string, { messages }: Intents, { journal }: Evidence): boolean {
  const message = messages.find((one) => guidsOf(one).includes(guid));
  if (message === undefined || message.isReflexNamed === true) return false;
  const times = (one: MessageIntent) => {
    const guids = guidsOf(one);
    const of = (list: readonly { guid: string; at: number }[]) =>
      list.filter((entry) => guids.includes(entry.guid)).map(({ at }) => at);
    const posts = of(journal.messages);
    return { from: Math.min(...posts), to: Math.max(...posts, ...of(journal.replies)) + READ_WITHIN_MS };
  };
  const mine = times(message);
  return messages.some((other) => {
    if (other === message || other.conversation !== message.conversation) return false;
    const { from, to } = times(other);
    return from <= mine.to && to >= mine.from;
  });
}

/**
 * Whether a state was restored that was older than the agent's report on this schedule: the backend does not offer
 * again what was acked, and only chat.db can show what was sent of it.
 */
export function wasForgotten({ commandId }: ScheduleIntent, { journal, restores }: Evidence): boolean {
  const acked = journal.acks.filter(({ body }) => body.command_id === commandId).map(({ at }) => at);
  return restores.some(({ copiedAt, restoredAt }) =>
    acked.some((at) => at >= copiedAt - READ_WITHIN_MS && at <= restoredAt),
  );
}

/** Whether the agent reports that it cancelled the text in time. */
export function wasCancelled({ commandId }: ScheduleIntent, acks: Evidence['acks']): boolean {
  return acks.get(commandId)?.error?.startsWith('cancelled by ') ?? false;
}

/** What an ack reports of a text. */
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
