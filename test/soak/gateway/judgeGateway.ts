import type { OutgoingMessage } from '../../../src/model/gatewayMessages.js';
import { type Expected, judgeCounts, judgeLanes, judgeTargets } from '../rules.js';
import type { Attempt } from './Bot.js';
import {
  type GatewayEvidence,
  type GatewayIntents,
  messageGuidIn,
  sequenceIn,
  type WrittenMessage,
} from './intents.js';

/** How often a text may be seen whose message has this status in the end; undefined: it may not end so. */
const TRUE_IN: Readonly<Record<OutgoingMessage['status'], Expected | undefined>> = {
  queued: undefined,
  accepted: undefined,
  sent: { least: 1, most: 1 },
  delivered: { least: 1, most: 1 },
  read: { least: 1, most: 1 },
  failed: { least: 0, most: 0 },
  cancelled: { least: 0, most: 0 },
  unknown: { least: 0, most: 1 },
};

/** What was promised and not kept, as text; empty if all was. */
export function judgeGateway(intents: GatewayIntents, evidence: GatewayEvidence): string[] {
  return [
    ...evidence.offences,
    ...judgeTexts(intents, evidence),
    ...judgeOrder(intents, evidence),
    ...judgePlaces(intents, evidence),
    ...judgeIds(intents, evidence),
    ...judgeStatuses(intents, evidence),
    ...judgeMessages(intents, evidence),
    ...judgeStream(evidence),
    ...judgeWebhooks(evidence),
  ];
}

/**
 * Each accepted message was sent as often as its status says, each person's message was answered once, and nothing
 * else was sent.
 */
function judgeTexts({ texts, messages }: GatewayIntents, evidence: GatewayEvidence): string[] {
  const expected = new Map<string, Expected>();
  const shown = new Map(evidence.shown.map((message) => [message.text ?? '', message]));
  for (const { text } of texts) {
    const status = shown.get(text)?.status;
    expected.set(text, (status === undefined ? undefined : TRUE_IN[status]) ?? { least: 1, most: 1 });
  }
  const doubtful = doubtfulReplies(evidence);
  const undecided = messages.flatMap((message) => {
    const isDoubtful = doubtful.has(message.guid);
    const { heard, offence } = answerHeard(message, evidence, isDoubtful);
    const least = isDoubtful ? 0 : 1;
    for (const text of heard) expected.set(text, { least: shownLeast(shown.get(text), least), most: 1 });
    return offence === undefined ? [] : [`answer: ${message.guid} (“${message.text}”) ${offence}`];
  });
  return [...undecided, ...judgeCounts(expected, sentTexts(evidence))];
}

/** A text of an answer that came too late for the agent is a message of its own, whose status counts. */
function shownLeast(message: OutgoingMessage | undefined, otherwise: number): number {
  return message === undefined ? otherwise : (TRUE_IN[message.status]?.least ?? 1);
}

/**
 * The answer that a person got: each attempt at the bot has one with a different text, and of those that the gateway
 * may have read, one was delivered.
 */
function answerHeard(
  { guid, agentId }: WrittenMessage,
  evidence: GatewayEvidence,
  isDoubtful: boolean,
): { heard: readonly string[]; offence?: string } {
  const sent = new Set(textsOf(evidence, agentId));
  const attempts = attemptsAt('bot', evidence).filter(
    ({ event }) => event.type === 'message.received' && event.data.message?.message_guid === guid,
  );
  if (attempts.length === 0) return { heard: [], offence: 'came to no webhook' };
  const [heard, another] = attempts.filter(({ texts }) => texts.some((text) => sent.has(text)));
  if (another !== undefined) return { heard: another.texts, offence: 'was answered by several attempts' };
  if (heard !== undefined) return { heard: heard.texts };
  const wasAnswered = attempts.some(({ texts, takenAt }) => texts.length > 0 && takenAt !== undefined);
  return wasAnswered && !isDoubtful
    ? { heard: [], offence: 'was answered, and the answer was not delivered' }
    : { heard: [] };
}

/** The guids of messages with an answer of which a text is reported as unknown or failed. */
function doubtfulReplies({ events }: GatewayEvidence): ReadonlySet<string> {
  const doubtful = events.filter(
    ({ type, data }) =>
      type === 'message.status' &&
      data.message_id === null &&
      (data.status === 'unknown' || data.status === 'failed'),
  );
  return new Set(doubtful.flatMap(({ data }) => data.in_reply_to ?? []));
}

/** Texts of a conversation are sent in the order in which they were accepted, bubbles of an answer in theirs. */
function judgeOrder({ texts }: GatewayIntents, evidence: GatewayEvidence): string[] {
  const lanes = groupBy(
    texts.filter(({ isScheduled }) => !isScheduled),
    ({ agentId, conversation }) => `${agentId} ${conversation}`,
  );
  return [...evidence.dispatches.keys()].flatMap((agentId) =>
    judgeLanes(
      [
        ...lanes.filter(([first]) => first?.agentId === agentId).map((lane) => lane.map(({ text }) => text)),
        ...attemptsAt('bot', evidence).map((attempt) => attempt.texts),
      ],
      textsOf(evidence, agentId),
    ),
  );
}

/** Each text was sent on the Mac and to the conversation that it was for. */
function judgePlaces({ texts, messages, targets }: GatewayIntents, evidence: GatewayEvidence): string[] {
  const places = new Map<string, Set<string>>();
  for (const { text, agentId, conversation } of texts)
    places.set(text, new Set([`${agentId} ${conversation}`]));
  const byGuid = new Map(messages.map((message) => [message.guid, message]));
  for (const { event, texts: said } of evidence.attempts) {
    const message = byGuid.get(event.data.message?.message_guid ?? '');
    if (message === undefined) continue;
    for (const text of said) places.set(text, new Set([`${message.agentId} ${message.conversation}`]));
  }
  const dispatches = [...evidence.dispatches].flatMap(([agentId, list]) =>
    list.map(({ text, target }) => ({ text, target: `${agentId} ${target}` })),
  );
  return judgeTargets(dispatches, places, targets);
}

/** What was accepted has one id, however often it was asked for, and there is one message of it. */
function judgeIds({ texts }: GatewayIntents, { shown }: GatewayEvidence): string[] {
  return texts.flatMap(({ text, ids }) => {
    const found = shown.filter((message) => message.text === text).map(({ id }) => id);
    if (ids.size === 1 && found.length === 1 && found.every((id) => ids.has(id))) return [];
    return [`rest: “${text}” was accepted as [${[...ids]}] and is shown as [${found}]`];
  });
}

/** Every message came to an end, and its history matches the events, each once and in order. */
function judgeStatuses(_: GatewayIntents, { shown, events }: GatewayEvidence): string[] {
  const told = new Map<string, string[]>();
  for (const { type, data } of events) {
    if (type !== 'message.status' || data.message_id === undefined || data.message_id === null) continue;
    told.set(data.message_id, [...(told.get(data.message_id) ?? []), data.status ?? '']);
  }
  return shown.flatMap(({ id, text, status, history }) => {
    const steps = history.map((step) => step.status);
    const [queued, ...later] = steps;
    const name = `${id} (“${text}”)`;
    return [
      ...(TRUE_IN[status] === undefined ? [`status: ${name} is still ${status}`] : []),
      ...(queued !== 'queued' || steps.at(-1) !== status
        ? [`status: ${name} is ${status} after ${steps}`]
        : []),
      ...(later.join() === (told.get(id) ?? []).join()
        ? []
        : [`status: ${name} has the history ${steps}, and events told ${told.get(id)}`]),
    ];
  });
}

/**
 * Messages of people reached the application, numbered in the order in which they were written. One whose post failed
 * may come after others (protocol, "HTTP"): the number says where it belongs.
 */
function judgeMessages({ messages }: GatewayIntents, { events }: GatewayEvidence): string[] {
  const numbers = new Map(
    events.flatMap(({ type, data }) =>
      type === 'message.received' ? [[messageGuidIn(data), sequenceIn(data)] as const] : [],
    ),
  );
  return groupBy(messages, ({ agentId, conversation }) => `${agentId} ${conversation}`).flatMap((lane) =>
    lane.flatMap(({ guid, text }, index) => {
      const name = `message: ${guid} (“${text}”)`;
      if (!numbers.has(guid)) return [`${name} is in no stream`];
      const number = numbers.get(guid);
      return number === index + 1 ? [] : [`${name} has the number ${number} instead of ${index + 1}`];
    }),
  );
}

/** The stream gives no event twice. */
function judgeStream({ events }: GatewayEvidence): string[] {
  const seen = new Set<string>();
  return events.flatMap(({ id, type }) => {
    if (seen.has(id)) return [`stream: ${type} ${id} came again`];
    seen.add(id);
    return [];
  });
}

/** Both webhooks took every event of the stream, those of one conversation one after the other in its order, always with the same body. */
function judgeWebhooks(evidence: GatewayEvidence): string[] {
  const known = new Set(evidence.events.map(({ id }) => id));
  const lanes = groupBy(evidence.events, ({ agent, data }) => `${agent} ${data.conversation ?? ''}`);
  return ['bot', 'archive'].flatMap((webhook) => {
    const attempts = groupBy(attemptsAt(webhook, evidence), ({ event }) => event.id);
    const byId = new Map(attempts.map((list) => [list[0]?.event.id ?? '', list]));
    const strange = [...byId.keys()].filter((id) => !known.has(id));
    const changed = attempts.filter((list) => new Set(list.map(({ body }) => body)).size > 1);
    return [
      ...strange.map((id) => `webhook: ${webhook} got ${id}, which is in no stream`),
      ...changed.map(([first]) => `webhook: ${webhook} got ${first?.event.id} with another body`),
      ...lanes.flatMap((lane) =>
        lane.flatMap(({ id, type }, index) => {
          const own = byId.get(id);
          if (own === undefined || takenAt(own) === undefined)
            return [`webhook: ${type} ${id} was not taken by ${webhook}`];
          const before = byId.get(lane[index - 1]?.id ?? '');
          const isEarly = before !== undefined && (own[0]?.at ?? 0) < (takenAt(before) ?? Infinity);
          return isEarly ? [`webhook: ${webhook} got ${type} ${id} before the one before was taken`] : [];
        }),
      ),
    ];
  });
}

/** When one of these attempts was first answered with a complete 2xx. */
function takenAt(attempts: readonly Attempt[]): number | undefined {
  const times = attempts.flatMap((attempt) => attempt.takenAt ?? []);
  return times.length === 0 ? undefined : Math.min(...times);
}

const attemptsAt = (webhook: string, { attempts }: GatewayEvidence) =>
  attempts.filter((attempt) => attempt.webhook === webhook);

const textsOf = ({ dispatches }: GatewayEvidence, agentId: string) =>
  (dispatches.get(agentId) ?? []).map(({ text }) => text);

const sentTexts = ({ dispatches }: GatewayEvidence) =>
  [...dispatches.values()].flatMap((list) => list.map(({ text }) => text));

/** The same list, a part for each name. */
function groupBy<T>(list: readonly T[], nameOf: (item: T) => string): T[][] {
  const groups = new Map<string, T[]>();
  for (const item of list) {
    const name = nameOf(item);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [item]);
    else group.push(item);
  }
  return [...groups.values()];
}
