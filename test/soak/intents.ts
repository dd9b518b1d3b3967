/** A text, or a file by its name, to be sent now. */
export interface SendIntent {
  kind: 'send';
  commandId: string;
  conversation: string;
  text: string;
  isFile: boolean;
}

/** A text to be sent later. */
export interface ScheduleIntent {
  kind: 'schedule';
  commandId: string;
  conversation: string;
  text: string;
}

/** A scheduled text is to be taken back, if it is not too late for that. */
export interface CancelIntent {
  kind: 'cancel';
  commandId: string;
}

/** What no agent can do: it is refused, and nothing follows from it. */
export interface HostileIntent {
  kind: 'hostile';
  commandId: string;
}

/** A message came in. What may happen to it later changes it here. */
export interface MessageIntent {
  guid: string;
  conversation: string;
  /** Its row was complete only some time after it appeared, so that younger ones may be posted before it. */
  late: boolean;
  /** Its final text. */
  text: string;
  /** Its parts in order, files by `''`; undefined if it is one text alone. */
  parts?: readonly string[];
  /** The guids of its images, for the backend to get, in their order. */
  images: readonly string[];
  /** The same message under other guids, each with the guids of its images there. */
  copies: { guid: string; images: readonly string[] }[];
  /** It is hard to read: of its text only the beginning, `text`, is known. */
  isHostile?: boolean;
  /** Whether the reflex that answers it names it (`in_reply_to`). */
  isReflexNamed?: boolean;
  /** What became of it: it was changed, or taken back. */
  fate?: 'edited' | 'unsent';
  /** Its text before it was changed. */
  before?: string;
}

/** A person answered from another device of this account. */
export interface OperatorIntent {
  guid: string;
  text: string;
}

export type CommandIntent = SendIntent | ScheduleIntent | CancelIntent | HostileIntent;

/** Everything that was requested from the agent, in order. */
export interface Intents {
  commands: readonly CommandIntent[];
  messages: readonly MessageIntent[];
  operators: readonly OperatorIntent[];
  /** Where the texts of a conversation may go: the guids of its chats, and the address of its person. */
  targets: ReadonlyMap<string, ReadonlySet<string>>;
}

/** The guids under which a message may be posted. */
export function guidsOf({ guid, copies }: MessageIntent): string[] {
  return [guid, ...copies.map((copy) => copy.guid)];
}

/** The same list, a part for each conversation. */
export function conversationsOf<T extends { conversation: string }>(list: readonly T[]): T[][] {
  const groups = new Map<string, T[]>();
  for (const item of list) groups.set(item.conversation, [...(groups.get(item.conversation) ?? []), item]);
  return [...groups.values()];
}
