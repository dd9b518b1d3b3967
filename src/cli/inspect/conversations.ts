import { maskHandle } from '../../logging/mask.js';
import type { Bubble, Conversation, ConversationDetail } from '../../model/operatorApi.js';
import { systemClock } from '../../system/clock.js';
import { ago, localTime, withLocalTimes } from '../../system/time.js';
import { askAgentOrStore, noResult } from '../askAgent.js';
import { EXIT } from '../exitCodes.js';
import { print, printJson, stdoutTerminal } from '../print.js';
import { entryLines, paint, type Style, shownText, table } from '../terminal.js';
import { titled } from '../titled.js';

interface ConversationOptions {
  configPath?: string;
  json?: boolean;
  lines: number;
  texts?: boolean;
}

/** Lists the conversations in which something was said last. */
export async function listConversations(options: ConversationOptions): Promise<number> {
  const { lines, texts = false } = options;
  const asked = await askAgentOrStore(options, {
    verb: 'conversations',
    limit: Math.max(1, lines),
    messages: 1,
    texts,
  });
  if ('exitCode' in asked) return asked.exitCode;
  if (asked.answer.kind !== 'answered') return noResult(asked);
  const conversations = asked.answer.result.map((conversation) => shownOf(conversation, texts));
  if (options.json === true) {
    printJson({ schema: 1, conversations: conversations.map(({ messages: _, ...more }) => more) });
  } else if (conversations.length === 0) print('Nothing was said in any conversation yet.');
  else print(...table(conversations.map((conversation) => row(conversation, texts))));
  return EXIT.ok;
}

/** Shows one conversation: received and sent messages, and the outcome of each. */
export async function showConversation(options: ConversationOptions, who: string): Promise<number> {
  const { lines, texts = false } = options;
  const asked = await askAgentOrStore(options, {
    verb: 'conversations.show',
    conversation: who,
    messages: Math.max(1, lines),
    texts,
  });
  if ('exitCode' in asked) return asked.exitCode;
  if (asked.answer.kind !== 'answered') return noResult(asked);
  const conversation = shownOf(asked.answer.result, texts);
  if (options.json === true) printJson({ schema: 1, ...conversation });
  else print(...conversationLines(conversation));
  return EXIT.ok;
}

/** With its full number or address only where texts are shown; what is no name is none. */
function shownOf<Kind extends Conversation>(
  conversation: Kind,
  texts: boolean,
): Omit<Kind, 'name'> & { name: string | null } {
  const masked = maskHandle(conversation.conversation);
  return {
    ...conversation,
    conversation: texts ? conversation.conversation : masked,
    name: conversation.name === masked ? null : conversation.name,
  };
}

type Shown<Kind extends Conversation> = ReturnType<typeof shownOf<Kind>>;

function row(conversation: Shown<Conversation>, texts: boolean): string[] {
  const { conversation: id, name, last_at: at, messages } = conversation;
  const said = texts ? shownText(messages.at(-1)?.text ?? '') : '';
  return [
    id,
    shownText(name ?? ''),
    ago(at, systemClock.now()),
    [stateOf(conversation), said].filter((part) => part !== '').join('  '),
  ];
}

function stateOf({ paused, waiting, parked, unsent }: Shown<Conversation>): string {
  const terminal = stdoutTerminal();
  const parts = [
    ...(paused ? ['paused'] : []),
    ...(waiting > 0 ? [`${waiting} waiting for the backend`] : []),
    ...(unsent > 0 ? [`${unsent} to be sent`] : []),
    ...(parked > 0 ? [`${parked} set aside`] : []),
  ];
  return parts.length === 0 ? '' : paint(terminal, 'yellow', parts.join(', '));
}

function conversationLines(conversation: Shown<ConversationDetail>): string[] {
  const { messages, scheduled } = conversation;
  const terminal = stdoutTerminal();
  const head = [titled(conversation), stateOf(conversation)].filter((part) => part !== '').join('  ');
  const later = scheduled.map(({ send_at: at, characters, text, schedule_id: id }) => {
    const what = text === undefined ? `${characters} characters` : shownText(text);
    return `  ${localTime(Date.parse(at))}  →  ${what}  (scheduled: ${id})`;
  });
  return [head, ...[...messages.map(messageLine), ...later].flatMap((line) => entryLines(line, terminal))];
}

const STYLES: Readonly<Record<string, Style>> = {
  answered: 'green',
  sent: 'green',
  parked: 'red',
  failed: 'red',
  unknown: 'yellow',
};

const STATES: Readonly<Record<string, string>> = {
  open: 'waits for the backend',
  parked: 'set aside',
  expired: 'not answered',
  queued: 'waits to be sent',
  staging: 'waits for its file',
  attempting: 'is being sent',
  confirming: 'is being confirmed in chat.db',
  unknown: 'not known whether it was sent',
};

function messageLine(message: Bubble): string {
  const {
    at,
    direction,
    sender,
    characters,
    text,
    state,
    attempts,
    service,
    command_id: id,
    error,
  } = message;
  const said =
    text === null ? `${characters} ${characters === 1 ? 'character' : 'characters'}` : shownText(text);
  const by = sender === 'operator' ? 'operator: ' : '';
  const facts = [
    ...(direction === 'out' && service !== null && state === 'sent' ? [service] : []),
    ...(attempts > 1 ? [`${attempts} attempts`] : []),
    ...(id === null ? [] : [`command ${id}`]),
    ...(error === null ? [] : [error]),
  ];
  const became = paint(stdoutTerminal(), STYLES[state] ?? 'dim', STATES[state] ?? state);
  const why = facts.length === 0 ? '' : ` (${withLocalTimes(facts.join(', '))})`;
  return `  ${localTime(Date.parse(at))}  ${direction === 'in' ? '←' : '→'}  ${by}${said}  ${became}${why}`;
}
