import type { Evidence } from './evidence.js';
import { answersIn, expectedTexts, outcomeIn, wasCancelled, wasForgotten } from './expectations.js';
import { conversationsOf, guidsOf, type Intents, type MessageIntent } from './intents.js';
import { judgeForms } from './judgeForms.js';
import { judgeCounts, judgeLanes, tally } from './rules.js';

/** Posts of one conversation that may be on their way at the same time, and so overtake one another (protocol, "HTTP"). */
const IN_FLIGHT = 3;

/** What was promised and not kept, as text; empty if all was. */
export function judge(intents: Intents, evidence: Evidence, mayDoubt: boolean): string[] {
  // A restored state may know too little of what was in progress to determine its end.
  const unknownAllowed = mayDoubt || evidence.restores.length > 0;
  const unknown = tally(unknownAllowed ? evidence.unknown.map(({ text }) => text) : []);
  return [
    ...judgeCounts(expectedTexts(intents, evidence), evidence.sent, unknown),
    ...judgeAcks(intents, evidence),
    ...judgeMessages(intents, evidence),
    ...judgeOrder(intents, evidence, unknown),
    ...judgeEvents(evidence),
    ...judgePauses(evidence),
    ...judgeStore(evidence, unknownAllowed),
    ...judgeForms(intents, evidence),
  ];
}

/** Every command is acked, truthfully, and an ack that comes again is the same. */
function judgeAcks({ commands }: Intents, evidence: Evidence): string[] {
  const { acks, sent, journal, unknown } = evidence;
  const went = tally(sent);
  const doubtful = new Set(unknown.map(({ text }) => text));
  const said = new Map<string, string>();
  const isAcked = new Set(journal.acks.map(({ body }) => body.command_id));
  const contradictions = journal.acks.flatMap(({ body }) => {
    // The store forgot its earlier report, and says so: such an ack counts only where there is none (protocol,
    // "Acks").
    if (body.result?.restored === true) return [];
    const key = `${body.command_id} revision ${body.revision}`;
    const words = `${body.status} ${outcomeIn(body)} ${body.error}`;
    const before = said.get(key) ?? words;
    said.set(key, before);
    return before === words ? [] : [`ack: ${key} says “${words}” after “${before}”`];
  });
  const reflexes = journal.reflexes.flatMap(({ commandId }) => (commandId === null ? [] : [commandId]));
  const ids = [...commands.map(({ commandId }) => commandId), ...reflexes];
  const unacked = ids.filter((id) => !isAcked.has(id)).map((id) => `ack: none for ${id}`);
  const untrue = commands.flatMap((intent) => {
    const ack = acks.get(intent.commandId);
    if (ack === undefined || intent.kind === 'cancel') return [];
    if (intent.kind === 'hostile')
      return ack.status === 'failed' ? [] : [`ack: ${intent.commandId} cannot have been done`];
    if (intent.kind === 'schedule' && wasForgotten(intent, evidence)) return [];
    const { commandId, text } = intent;
    if (intent.kind === 'schedule' && ack.revision < 2) return [`ack: ${commandId} has no second one`];
    if (intent.kind === 'schedule' && wasCancelled(intent, acks)) return [];
    const isDoubt = outcomeIn(ack) === 'unknown' && doubtful.has(text);
    if (ack.status !== 'completed' && !isDoubt)
      return [`ack: ${commandId} (“${text}”) failed with ${ack.error}`];
    if (ack.status === 'completed' && !went.has(text))
      return [`ack: ${commandId} (“${text}”) is said to be sent and was not`];
    return [];
  });
  return [...contradictions, ...unacked, ...untrue];
}

/** Every message is posted and answered, every image uploaded; none is posted before one that is older by more than may be on their way. */
function judgeMessages({ messages }: Intents, { journal, incoming }: Evidence): string[] {
  const arrival = new Map<string, number>();
  for (const { guid } of journal.messages) if (!arrival.has(guid)) arrival.set(guid, arrival.size);
  const unanswered = messages.flatMap((message) => {
    if (message.fate === 'unsent') return [];
    const guids = guidsOf(message);
    const states = guids.flatMap((guid) => incoming.get(guid) ?? []);
    const state = states.length === 0 ? 'not stored' : states.join(' and ');
    if (!guids.some((guid) => arrival.has(guid)))
      return [`message: ${message.guid} (“${message.text}”) was never posted (${state})`];
    return state === 'answered' ? [] : [`message: ${message.guid} is ${state}`];
  });
  const arrivalOf = (message: MessageIntent) =>
    Math.min(...guidsOf(message).map((guid) => arrival.get(guid) ?? Infinity));
  const uploaded = new Set(journal.photos.map(({ guid }) => guid));
  const missing = messages.flatMap(({ images, copies }) =>
    images.flatMap((image, index) => {
      const guids = [image, ...copies.map((copy) => copy.images[index] ?? image)];
      return guids.some((guid) => uploaded.has(guid)) ? [] : [`image: ${image} was never uploaded`];
    }),
  );
  const overtaken = conversationsOf(messages.filter(({ late }) => !late)).flatMap((conversation) =>
    conversation.flatMap((message, index) => {
      const mine = arrivalOf(message);
      const older = conversation.slice(0, Math.max(0, index - IN_FLIGHT + 1));
      const passed = older.find((other) => other.fate !== 'unsent' && arrivalOf(other) > mine);
      return passed === undefined ? [] : [`order: message ${message.guid} was posted before ${passed.guid}`];
    }),
  );
  return [...unanswered, ...missing, ...overtaken];
}

/**
 * Texts of a conversation are sent in the order of their commands, bubbles of a reply in theirs, a reflex before
 * them.
 */
function judgeOrder(
  { commands }: Intents,
  evidence: Evidence,
  unknown: ReadonlyMap<string, number>,
): string[] {
  const sends = commands.filter((intent) => intent.kind === 'send');
  const lanes = [
    ...conversationsOf(sends).map((lane) => lane.map(({ text }) => text)),
    ...answersIn(evidence).map(({ texts }) => texts),
  ];
  return judgeLanes(lanes, evidence.sent, unknown);
}

/** The backend gets a report of every text that was sent, under one id each. */
function judgeEvents({ journal, sent, unknown, restores }: Evidence): string[] {
  // What a restored store did not know may be reported again, and what it alone had to report is lost.
  if (restores.length > 0) return [];
  const ids = new Set(
    journal.events.flatMap(({ body }) => (body.event_type === 'message_sent' ? [body.event_id] : [])),
  );
  const least = sent.length - unknown.length;
  if (ids.size >= least && ids.size <= sent.length) return [];
  return [`events: ${ids.size} tell of a text that was sent; ${sent.length} were`];
}

/** Nothing makes the agent pause a conversation. */
function judgePauses({ journal }: Evidence): string[] {
  const wrong = journal.events.filter(({ body }) => body.event_type === 'conversation_paused');
  return wrong.map(({ body }) => `events: ${body.event_type} ${JSON.stringify(body.details)}`);
}

function judgeStore({ integrity, damaged, unknown, failed }: Evidence, unknownAllowed: boolean): string[] {
  return [
    ...(integrity === 'ok' ? [] : [`store: ${integrity}`]),
    ...damaged.map((name) => `store: ${name} was set aside`),
    ...(unknownAllowed ? [] : unknown.map(({ text }) => `unknown: “${text}” without any reason`)),
    ...failed.map((text) => `failed: “${text}”`),
  ];
}
