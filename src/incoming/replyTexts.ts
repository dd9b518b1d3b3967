import type { IncomingMessage } from '../model/incoming.js';
import type { TextRequest } from '../model/sending.js';
import type { Reply } from './reply.js';

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
