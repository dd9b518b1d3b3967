import { z } from 'zod';
import type { MessageBody } from '../../gateway/agents/requests.js';
import { LONGEST_BURST_DELAY_MS, type MessageReply } from '../../model/backendBodies.js';
import { fieldErrors, plainIssue } from '../../system/plainIssues.js';

/** How long a reflex or a reply may be held back: agents have long given up, and ask again. */
const LONGEST_DELAY_MS = 600_000;

/** The three forms in which a reply may be written (protocol, "HTTP"). */
export type ReplyForm = 'reply_text' | 'reply_bubbles' | 'reflex_burst';

/** What a persona says to one message. */
export interface PersonaAnswer {
  /** The quick first bubble: pushed over the agent's socket at once, and first in the HTTP reply too. */
  reflex?: string;
  bubbles: readonly string[];
  /** How long the HTTP reply is held back, in ms. */
  delayMs?: number;
  /** How long the reflex is held back, in ms; 0 unless given. */
  reflexDelayMs?: number;
  /** `reply_bubbles` unless given. */
  form?: ReplyForm;
  /** For `reflex_burst`: the pause that the agent is asked to make between the bubbles, in ms. */
  burstDelayMs?: number;
  /** Unless given: whether there is anything to say. False sends neither reflex nor bubbles. */
  shouldRespond?: boolean;
  /** The reflex's thread_id, where it should be another form than the message's own. */
  threadId?: string;
  /** Whether the reflex names its message (`in_reply_to`); most backends do not, so false unless given. */
  inReplyTo?: boolean;
}

const delayMs = z.number().min(0).max(LONGEST_DELAY_MS).optional();

/** The form of an answer. */
export const answerSchema = z.strictObject({
  reflex: z.string().optional(),
  bubbles: z.array(z.string()).default([]),
  delayMs,
  reflexDelayMs: delayMs,
  form: z.enum(['reply_text', 'reply_bubbles', 'reflex_burst']).optional(),
  burstDelayMs: z.number().min(0).max(LONGEST_BURST_DELAY_MS).optional(),
  shouldRespond: z.boolean().optional(),
  threadId: z.string().min(1).optional(),
  inReplyTo: z.boolean().optional(),
}) satisfies z.ZodType<PersonaAnswer>;

/**
 * An answer that can be said in the words of the contract: empty texts are left out, and where none is left there is nothing
 * to say. Throws when a field is none that an answer may have, and names it.
 */
export function validAnswer(given: PersonaAnswer): PersonaAnswer {
  const read = answerSchema.safeParse(given, { error: plainIssue });
  if (!read.success)
    throw new Error(`the persona's answer is invalid: ${fieldErrors(read.error).join('; ')}`);
  const { reflex, ...rest } = read.data;
  const bubbles = rest.bubbles.filter(isFilled);
  const answer = isFilled(reflex) ? { ...rest, reflex, bubbles } : { ...rest, bubbles };
  const hasWords = isFilled(reflex) || bubbles.length > 0;
  return hasWords ? answer : { ...answer, shouldRespond: false };
}

function isFilled(text: string | undefined): text is string {
  return text !== undefined && text.trim() !== '';
}

export interface PersonaContext {
  agentId: string;
  /** The message's idempotency key. */
  guid: string;
  /** How many messages of this agent were answered before this one. */
  answered: number;
  /** Whether the agent has a live socket for a reflex. */
  connected: boolean;
}

/** Answers a message; asked once per guid. One that throws makes the request fail with 500, one that takes 50 s with 503. */
export type Persona = (
  message: MessageBody,
  context: PersonaContext,
) => PersonaAnswer | Promise<PersonaAnswer>;

/** Echoes the message, after a reflex. */
export const echo: Persona = (message) => ({
  reflex: 'one sec',
  bubbles: [`you said: ${message.filtered_text}`],
});

/** Never answers. */
export const silent: Persona = () => ({ bubbles: [], shouldRespond: false });

/** Answers in turn from a list, and with its last one for ever after. An empty list is `silent`. */
export function scripted(answers: readonly PersonaAnswer[]): Persona {
  let next = 0;
  return () => {
    const answer = answers[Math.min(next, answers.length - 1)];
    next += 1;
    return answer ?? { bubbles: [], shouldRespond: false };
  };
}

/** Another persona whose HTTP reply takes `ms` longer; its reflex is not delayed. */
export function slow(persona: Persona, ms: number): Persona {
  return async (message, context) => {
    const answer = await persona(message, context);
    return { ...answer, delayMs: (answer.delayMs ?? 0) + ms };
  };
}

const SCRIPT: readonly PersonaAnswer[] = [
  { reflex: 'okie lemme see', bubbles: ['found three of them', 'want the links?'] },
  { bubbles: ['here you go'], form: 'reply_text' },
  { reflex: 'one sec', bubbles: ['done', 'anything else?'], form: 'reflex_burst', burstDelayMs: 500 },
];

/** The personas that can be asked for by name, each made afresh. */
export const BUILT_IN_PERSONAS: Readonly<Record<'echo' | 'scripted' | 'slow' | 'silent', () => Persona>> = {
  echo: () => echo,
  scripted: () => scripted(SCRIPT),
  slow: () => slow(echo, 5_000),
  silent: () => silent,
};

/**
 * The body of the HTTP reply. The reflex is in it, first, whether or not it also went by socket. `reply_text` has room for
 * one text alone: there the reflex is left out when other bubbles follow and it goes by socket anyway.
 */
export function replyBody(answer: PersonaAnswer, reflexBySocket: boolean): MessageReply {
  if (!answers(answer)) return { should_respond: false };
  const { reflex, bubbles } = answer;
  const all = reflex === undefined ? [...bubbles] : [reflex, ...bubbles];
  switch (answer.form ?? 'reply_bubbles') {
    case 'reply_bubbles':
      return { should_respond: true, reply_bubbles: all };
    case 'reply_text': {
      const texts = reflexBySocket && bubbles.length > 0 ? bubbles : all;
      return { should_respond: true, reply_text: texts.join('\n') };
    }
    case 'reflex_burst':
      return {
        should_respond: true,
        reflex_message: reflex,
        burst_messages: [...bubbles],
        burst_delay_ms: answer.burstDelayMs,
      };
  }
}

/** Whether there is anything to say at all. */
export function answers(answer: PersonaAnswer): boolean {
  return answer.shouldRespond ?? (answer.reflex !== undefined || answer.bubbles.length > 0);
}
