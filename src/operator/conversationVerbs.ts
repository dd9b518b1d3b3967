import { basename } from 'node:path';
import { EdgeError } from '../errors.js';
import type { OperatorReply } from '../incoming/ChatEvents.js';
import { maskHandle } from '../logging/mask.js';
import type { Answers, Bubble, Conversation, ConversationDetail, OperatorApi } from '../model/operatorApi.js';
import type { ReceivedText, SentText } from '../store/recentTexts.js';
import type { Store } from '../store/Store.js';
import { iso, isoOrNull } from '../system/time.js';
import { onlyOne, wholeId } from './namedId.js';
import type { Names } from './names.js';
import { OPERATOR, type OperatorTexts } from './OperatorTexts.js';
import { scheduleEntry } from './scheduleVerbs.js';
import { neededText, shownHandle } from './verbInput.js';

/** So many of the newest messages each way are looked at. */
const LOOKED_AT = 500;
const MOST_CONVERSATIONS = 50;
const MOST_MESSAGES = 100;
const USUAL = 20;
const MOST_SCHEDULED = 1000;

interface Placed {
  conversation: string;
  at: number;
  message: Bubble;
}

interface Sources {
  store: Pick<Store, 'recentTexts' | 'pauses' | 'schedule'>;
  operatorTexts: Pick<OperatorTexts, 'list'>;
  names: Names;
  conversationKey: (written: string) => string;
}

/** What was said in conversations, and what the agent did about it; nothing is changed. */
export function conversationVerbs(
  sources: Sources,
): Answers<Pick<OperatorApi, 'conversations' | 'conversations.show'>> {
  return {
    conversations: ({ limit, messages, texts }): Conversation[] =>
      recent(sources, texts === true)
        .slice(0, atMost(limit, MOST_CONVERSATIONS))
        .map(([conversation, said]) =>
          described(sources, conversation, said, atMost(messages, MOST_MESSAGES)),
        ),
    'conversations.show'({ conversation: written, messages, texts }): ConversationDetail {
      const named = neededText(written, 'conversation', 'a number, an address, a group id or a name');
      const conversation = meant(sources, named);
      const most = atMost(messages, LOOKED_AT);
      const said = saidIn(sources, texts === true, most, conversation);
      const scheduled = sources.store.schedule
        .list('pending', MOST_SCHEDULED)
        .filter((text) => text.conversation === conversation)
        .map((text) => scheduleEntry(text, sources.names, texts === true));
      return { ...described(sources, conversation, said, most), scheduled };
    },
  };
}

/** The conversations in which something was said last, the newest first. */
function recent(sources: Sources, withTexts: boolean): [string, Placed[]][] {
  const byConversation = new Map<string, Placed[]>();
  for (const placed of saidIn(sources, withTexts, LOOKED_AT)) {
    const known = byConversation.get(placed.conversation);
    if (known === undefined) byConversation.set(placed.conversation, [placed]);
    else known.push(placed);
  }
  return [...byConversation];
}

/** What was said in one conversation, or in all, the newest first; `most` each way. */
function saidIn(sources: Sources, withTexts: boolean, most: number, conversation?: string): Placed[] {
  const { recentTexts } = sources.store;
  const byOthers = sources.operatorTexts
    .list()
    .filter((reply) => conversation === undefined || reply.conversation === conversation);
  return [
    ...recentTexts.received(most, conversation).map((text) => received(text, sources.names, withTexts)),
    ...recentTexts
      .sent(most, conversation)
      .filter(({ state }) => state !== 'deduplicated')
      .map((text) => sent(text, withTexts)),
    ...byOthers.map((reply) => byOperator(reply, withTexts)),
  ].toSorted((a, b) => b.at - a.at);
}

function described(
  { store, names }: Sources,
  conversation: string,
  said: readonly Placed[],
  messages: number,
): Conversation {
  const [newest] = said;
  return {
    conversation,
    name: names.nameOf(conversation) ?? maskHandle(conversation),
    paused: store.pauses.covers(conversation),
    ...store.recentTexts.backlog(conversation),
    last_at: newest === undefined ? null : iso(newest.at),
    messages: said
      .slice(0, messages)
      .map(({ message }) => message)
      .toReversed(),
  };
}

/**
 * The key of the conversation that is meant: as a command names it, or, among those in which something was said last, as a list
 * shows it: masked, by its name, or by the beginning of its id. Throws EdgeError `conversation_unknown`.
 */
function meant(sources: Sources, written: string): string {
  const { store, names } = sources;
  const key = sources.conversationKey(written);
  if (saidIn(sources, false, 1, key).length > 0 || store.pauses.get(key) !== undefined) return key;
  const keys = recent(sources, false).map(([conversation]) => conversation);
  const isCalled = (conversation: string) =>
    [maskHandle(conversation), names.nameOf(conversation)?.toLowerCase()].includes(written.toLowerCase());
  const called = keys.filter(isCalled);
  const shown = (conversation: string) =>
    [names.nameOf(conversation) ?? '', maskHandle(conversation)].join(' ').trim();
  const found =
    called.length > 0
      ? onlyOne(written, called, 'conversation_unknown', shown)
      : wholeId(written, keys, 'conversation_unknown', shown);
  if (found !== undefined) return found;
  throw new EdgeError(
    'conversation_unknown',
    `Nothing is stored of a conversation ${written}.`,
    'See those in which something was said last: edge-agent conversations',
  );
}

function received(text: ReceivedText, { nameOf }: Names, withText: boolean): Placed {
  const { guid, conversation, sender, text: said, sentAt } = text.message;
  return {
    conversation,
    at: sentAt,
    message: {
      id: guid,
      direction: 'in',
      sender: nameOf(sender) ?? shownHandle(sender, withText),
      at: iso(sentAt),
      state: text.state,
      characters: [...said].length,
      text: withText ? said : null,
      settled_at: isoOrNull(text.settledAt),
      attempts: text.attempts,
      service: null,
      command_id: null,
      error: text.error,
    },
  };
}

function sent(text: SentText, withText: boolean): Placed {
  const { id, conversation, file, state, guid, at, attempts, service, commandId, error } = text;
  const shown = file === null ? text.text : basename(file);
  return {
    conversation,
    at,
    message: {
      id: guid ?? id,
      direction: 'out',
      sender: 'agent',
      at: iso(at),
      state,
      characters: [...shown].length,
      text: withText ? shown : null,
      settled_at: isoOrNull(text.settledAt),
      attempts,
      service,
      command_id: commandId,
      error,
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
      settled_at: sentAt,
      attempts: 1,
      service: null,
      command_id: null,
      error: null,
    },
  };
}

function atMost(asked: unknown, most: number): number {
  return typeof asked === 'number' && Number.isInteger(asked) && asked > 0
    ? Math.min(asked, most)
    : Math.min(USUAL, most);
}
