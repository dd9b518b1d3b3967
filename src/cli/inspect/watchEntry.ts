import { maskHandle } from '../../logging/mask.js';
import type { Topic } from '../../monitor-client/index.js';
import { paint, type Style, shownText, type Terminal } from '../terminal.js';

/** The types of entries, by their option names. */
export const WATCH_TYPES = [
  'message',
  'command',
  'send',
  'link',
  'status',
  'notification',
  'presence',
  'queue',
  'schedule',
  'pause',
  'problem',
  'log',
] as const;

type WatchType = (typeof WATCH_TYPES)[number];

/** The topics of the agent for each; the others are always sent. */
const TOPICS: Readonly<Partial<Record<WatchType, Topic>>> = {
  command: 'commands',
  send: 'sends',
  link: 'link',
  queue: 'queues',
  schedule: 'schedule',
  pause: 'pauses',
  problem: 'problems',
  log: 'logs',
};

/** What to show. `conversation` is compared by `sameConversation`; as typed, until the agent has returned its key. */
export interface WatchWish {
  types: ReadonlySet<WatchType>;
  topics: readonly Topic[];
  conversation: string | undefined;
  texts: boolean;
}

/** Something that happened. `at` is Unix ms; `words` is for a person and `record` for programs. */
export interface WatchEntry {
  type: WatchType;
  at: number;
  words: string;
  style?: Style | undefined;
  record: Record<string, unknown>;
}

/** What the options ask for; `fault` says which of them cannot be understood. */
export function watchWish(options: {
  conversation?: string;
  type?: string;
  texts?: boolean;
}): WatchWish | { fault: string } {
  const { conversation, type, texts = false } = options;
  const named = type?.split(',').map((name) => name.trim());
  const stranger = named?.find((name) => !WATCH_TYPES.includes(name as WatchType));
  if (stranger !== undefined) return { fault: `--type: "${stranger}" is not a type of event.` };
  if (conversation === '') return { fault: '--conversation: expected a number, an address or a group id.' };
  const types = new Set((named as WatchType[] | undefined) ?? WATCH_TYPES.filter((name) => name !== 'log'));
  return { types, topics: [...types].flatMap((name) => TOPICS[name] ?? []), conversation, texts };
}

/** Whether a conversation is the one that is wished for: by its key, or typed with its country and perhaps the service. */
export function sameConversation(conversation: string, typed: string): boolean {
  return plain(conversation) === plain(typed);
}

/** Whether a masked conversation may be the one that was typed; no better check is possible. */
export function perhapsSame(masked: string, typed: string): boolean {
  return plain(masked) === plain(maskHandle(plain(typed)));
}

function plain(conversation: string): string {
  const bare = conversation.trim().replace(/^[A-Za-z]*;[-+];/, '');
  return /^[+\d\s().-]+$/.test(bare) ? bare.replace(/[^+\d]/g, '') : bare.toLowerCase();
}

const LONGEST_TYPE = Math.max(...WATCH_TYPES.map((name) => name.length));

/** One line: the time of day, the type and what happened. */
export function entryLine(
  { at, type, words, style }: WatchEntry,
  terminal: Pick<Terminal, 'colour'>,
): string {
  const time = paint(terminal, 'dim', new Date(at).toTimeString().slice(0, 8));
  const said = shownText(words);
  return `${time} ${type.padEnd(LONGEST_TYPE)} ${style === undefined ? said : paint(terminal, style, said)}`;
}
