import { basename } from 'node:path';
import type { OperatorReply } from '../incoming/ChatEvents.js';
import { maskHandle } from '../logging/mask.js';
import type { Bubble, Conversation } from '../model/operatorApi.js';
import type { ReceivedText, SentText } from '../store/recentTexts.js';
import type { Store } from '../store/Store.js';
import type { Names } from './names.js';
import { OPERATOR, type OperatorTexts } from './OperatorTexts.js';

/** So many of the newest messages each way are looked at. */
const LOOKED_AT = 500;
const MOST_CONVERSATIONS = 50;
const MOST_MESSAGES = 100;
const USUAL = 20;

interface Placed {
  conversation: string;
  at: number;
  message: Bubble;
}

/** The conversations in which something was said last, the newest first. */
export function recentConversations(
  store: Pick<Store, 'recentTexts' | 'pauses'>,
  operatorTexts: Pick<OperatorTexts, 'list'>,
  { nameOf }: Names,
  { limit, messages, texts }: { limit?: unknown; messages?: unknown; texts?: unknown },
): Conversation[] {
  const withTexts = texts === true;
  const said = [
    ...store.recentTexts.received(LOOKED_AT).map((text) => received(text, withTexts)),
    ...store.recentTexts
      .sent(LOOKED_AT)
      .filter(({ state }) => state !== 'deduplicated')
      .map((text) => sent(text, withTexts)),
    ...operatorTexts.list().map((reply) => byOperator(reply, withTexts)),
  ].toSorted((a, b) => b.at - a.at);
  const byConversation = new Map<string, Placed[]>();
  for (const placed of said) {
    const known = byConversation.get(placed.conversation);
    if (known === undefined) byConversation.set(placed.conversation, [placed]);
    else known.push(placed);
  }
  return [...byConversation].slice(0, atMost(limit, MOST_CONVERSATIONS)).map(([conversation, placed]) => ({
    conversation,
    name: nameOf(conversation) ?? maskHandle(conversation),
    paused: store.pauses.covers(conversation),
    messages: placed
      .slice(0, atMost(messages, MOST_MESSAGES))
      .map(({ message }) => message)
      .toReversed(),
  }));
}

function received({ message, state }: ReceivedText, withText: boolean): Placed {
  const { guid, conversation, sender, text, sentAt } = message;
  return {
    conversation,
    at: sentAt,
    message: {
      id: guid,
      direction: 'in',
      sender: maskHandle(sender),
      at: new Date(sentAt).toISOString(),
      state,
      characters: [...text].length,
      text: withText ? text : null,
    },
  };
}

function sent({ id, conversation, text, file, state, guid, at }: SentText, withText: boolean): Placed {
  const shown = file === null ? text : basename(file);
  return {
    conversation,
    at,
    message: {
      id: guid ?? id,
      direction: 'out',
      sender: 'agent',
      at: new Date(at).toISOString(),
      state,
      characters: [...shown].length,
      text: withText ? shown : null,
    },
  };
}

function byOperator({ guid, conversation, text, sentAt }: OperatorReply, withText: boolean): Placed {
  return {
    conversation,
    at: Date.parse(sentAt),
    message: {
      id: guid,
      direction: 'out',
      sender: OPERATOR,
      at: sentAt,
      state: 'sent',
      characters: [...text].length,
      text: withText ? text : null,
    },
  };
}

function atMost(asked: unknown, most: number): number {
  return typeof asked === 'number' && Number.isInteger(asked) && asked > 0
    ? Math.min(asked, most)
    : Math.min(USUAL, most);
}
