import type { AgentEvent } from '../../src/gateway/agents/frames.js';
import type { Evidence } from './evidence.js';
import { answersIn } from './expectations.js';
import { conversationsOf, guidsOf, type Intents, type MessageIntent } from './intents.js';
import { judgeTargets } from './rules.js';

/** Whose a row was, which message it was and where it belonged: what was wrong of that, as text. */
export function judgeForms(intents: Intents, evidence: Evidence): string[] {
  // An older store does not know under which guid, and with which number, a message was posted.
  const isWhole = evidence.restores.length === 0;
  return [
    ...judgeOwnership(intents, evidence),
    ...(isWhole ? judgeIdentity(intents, evidence) : []),
    ...judgeWords(intents, evidence),
    ...judgeLaterLife(intents, evidence),
    ...judgeOperators(intents, evidence),
    ...judgePlaces(intents, evidence),
    ...(isWhole ? judgeSequence(intents, evidence) : []),
  ];
}

/** Nothing is posted but what people wrote: no row of our own, no preview of a link. */
function judgeOwnership({ messages }: Intents, { journal }: Evidence): string[] {
  const theirs = new Set(messages.flatMap(guidsOf));
  const others = new Map(
    journal.messages.flatMap(({ guid, body }) => (theirs.has(guid) ? [] : [[guid, body.filtered_text]])),
  );
  return [...others].map(([guid, text]) => `ownership: ${guid} (“${text}”) was posted and is no person's`);
}

/** However often a message is written, it is posted under one guid. */
function judgeIdentity({ messages }: Intents, { journal }: Evidence): string[] {
  const posted = new Set(journal.messages.map(({ guid }) => guid));
  return messages.flatMap((message) => {
    const found = guidsOf(message).filter((guid) => posted.has(guid));
    return found.length > 1 ? [`identity: one message was posted as ${found.join(' and ')}`] : [];
  });
}

/** A message is posted with its text, each part in its place. */
function judgeWords({ messages }: Intents, { journal }: Evidence): string[] {
  const byGuid = intentByGuid(messages);
  return journal.messages.flatMap(({ guid, body }) => {
    const message = byGuid.get(guid);
    if (message === undefined) return [];
    if (message.isHostile === true)
      return body.filtered_text.startsWith(message.text) ? [] : [`words: ${guid} lost its beginning`];
    const words = [message.text, ...(message.before === undefined ? [] : [message.before])];
    const parts = body.parts?.map((part) => (part.type === 'text' ? part.text : ''));
    const areWhole =
      message.parts === undefined || parts === undefined || parts.join('|') === message.parts.join('|');
    if (words.includes(body.filtered_text) && areWhole) return [];
    return [`words: ${guid} was posted as ${JSON.stringify([body.filtered_text, parts])}, not “${words}”`];
  });
}

/** The backend has each message in its final form, and knows which were unsent; it gets nothing else. */
function judgeLaterLife({ messages }: Intents, { journal, restores }: Evidence): string[] {
  // An older store repeats reports that it does not know of.
  const times = 1 + restores.length;
  const last = new Map(journal.messages.map(({ guid, body }) => [guid, body.filtered_text]));
  const told = (type: string, message: MessageIntent) => {
    const guids: unknown[] = guidsOf(message);
    const events = journal.events.filter(
      ({ body }) => body.event_type === type && guids.includes(detail(body, 'message_guid')),
    );
    return [...new Map(events.map(({ body }) => [body.event_id, body])).values()];
  };
  return messages.flatMap((message) => {
    const posted = guidsOf(message).find((guid) => last.has(guid));
    const name = `${message.guid} (“${message.text}”)`;
    const edits = told('message_edited', message);
    const unsends = told('message_unsent', message);
    // A store that forgot the message reports it for each row that iCloud made of it: under which guid it was posted
    // is not known.
    const perRow = countBy(unsends, (event) => String(detail(event, 'message_guid')));
    const isChanged = message.fate === 'edited' || message.text.includes('://');
    const isCurrent =
      posted === undefined ||
      last.get(posted) === message.text ||
      edits.some((event) => detail(event, 'text') === message.text);
    return [
      ...(told('message_withdrawn', message).length > 0 ? [`later: ${name} was withdrawn as ours`] : []),
      ...(edits.length > (isChanged ? times : 0)
        ? [`later: ${name} was told as edited ${edits.length} times`]
        : []),
      ...(Math.max(0, ...perRow.values()) > (message.fate === 'unsent' ? times : 0)
        ? [`later: ${name} was told as taken back ${unsends.length} times`]
        : []),
      ...(message.fate === 'edited' && !isCurrent ? [`later: the edit of ${name} is not known`] : []),
      ...(message.fate === 'unsent' && posted !== undefined && unsends.length === 0
        ? [`later: the backend has ${name} and does not know that it was taken back`]
        : []),
    ];
  });
}

/** What an operator answers from another device is reported, once, and nothing else is taken for it. */
function judgeOperators({ operators }: Intents, { journal, restores }: Evidence): string[] {
  const events = journal.events.filter(({ body }) => body.event_type === 'operator_replied');
  const replies = new Map(events.map(({ body }) => [body.event_id, String(detail(body, 'text'))]));
  const told = [...replies.values()];
  const wanted = new Set(operators.map(({ text }) => text));
  return [
    ...told.flatMap((text) => (wanted.has(text) ? [] : [`operator: “${text}” is no answer of a person's`])),
    ...[...wanted].flatMap((text) => {
      const times = told.filter((other) => other === text).length;
      // What happened in a gap was reported by the agent that ran then, or never.
      return times === 1 || restores.length > 0 ? [] : [`operator: “${text}” was told ${times} times`];
    }),
  ];
}

/** A text goes to those for whom it is, whatever their chat is called. */
function judgePlaces(intents: Intents, evidence: Evidence): string[] {
  const conversations = new Map<string, Set<string>>();
  const note = (text: string, conversation: string) =>
    conversations.set(text, (conversations.get(text) ?? new Set()).add(conversation));
  for (const intent of intents.commands)
    if (intent.kind === 'send' || intent.kind === 'schedule') note(intent.text, intent.conversation);
  const byGuid = intentByGuid(intents.messages);
  for (const { guid, texts, reflex } of answersIn(evidence)) {
    const conversation = byGuid.get(guid)?.conversation;
    if (conversation === undefined) continue;
    for (const text of [...texts, ...(reflex === undefined ? [] : [reflex])]) note(text, conversation);
  }
  return judgeTargets(evidence.dispatches, conversations, intents.targets);
}

/**
 * Each message has one number, no other of its conversation has it, messages that were complete at once have theirs
 * in the order in which they were written, and none is missing except of those given up.
 */
function judgeSequence({ messages }: Intents, { journal }: Evidence): string[] {
  const numbers = new Map<string, Set<number>>();
  for (const { guid, body } of journal.messages)
    if (body.sequence !== undefined) numbers.set(guid, (numbers.get(guid) ?? new Set()).add(body.sequence));
  const explained = journal.events.flatMap(({ body }) => {
    const number = detail(body, 'sequence');
    return typeof number === 'number' ? [{ guid: detail(body, 'message_guid'), number }] : [];
  });
  const changing = [...numbers].flatMap(([guid, all]) =>
    all.size === 1 ? [] : [`sequence: ${guid} was posted as ${[...all].join(' and ')}`],
  );
  const wrong = conversationsOf(messages).flatMap((lane) => {
    const conversation = lane[0]?.conversation;
    const placed = lane.flatMap((message) => {
      const number = guidsOf(message).flatMap((guid) => [...(numbers.get(guid) ?? [])])[0];
      return number === undefined ? [] : [{ message, number }];
    });
    const guids: unknown[] = lane.flatMap(guidsOf);
    const gone = explained.flatMap(({ guid, number }) => (guids.includes(guid) ? [number] : []));
    const known = new Set([...placed.map(({ number }) => number), ...gone]);
    const highest = Math.max(0, ...known);
    const missing = Array.from({ length: highest }, (_, index) => index + 1).filter((n) => !known.has(n));
    const twice = placed.filter(({ number }, index) => placed.findIndex((p) => p.number === number) < index);
    const inOrder = placed.filter(({ message }) => !message.late);
    const passed = inOrder.filter(({ number }, index) => number < (inOrder[index - 1]?.number ?? 0));
    return [
      ...missing.map((number) => `sequence: nobody in ${conversation} has ${number}`),
      ...twice.map(({ message, number }) => `sequence: ${message.guid} has ${number}, as another one`),
      ...passed.map(
        ({ message, number }) => `sequence: ${message.guid} has ${number}, less than an older one`,
      ),
    ];
  });
  return [...changing, ...wrong];
}

function intentByGuid(messages: readonly MessageIntent[]): Map<string, MessageIntent> {
  return new Map(messages.flatMap((message) => guidsOf(message).map((guid) => [guid, message] as const)));
}

function detail({ details }: AgentEvent, name: string): unknown {
  return typeof details === 'object' && details !== null
    ? Object.entries(details).find(([key]) => key === name)?.[1]
    : undefined;
}

/** How many there are of each name. */
function countBy<T>(items: readonly T[], nameOf: (item: T) => string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(nameOf(item), (counts.get(nameOf(item)) ?? 0) + 1);
  return counts;
}
