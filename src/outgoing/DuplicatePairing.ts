import { createHash } from 'node:crypto';
import type { SendRecord } from '../model/sending.js';
import type { Store } from '../store/Store.js';
import type { Clock } from '../system/clock.js';
import { steadyNow } from '../system/clock.js';

/** How long after its message ended a reflex that names none may still come, in ms. */
const LATE_REFLEX_MS = 10 * 60_000;

/** A text in one of these states was sent or may have been. */
const WENT_OUT: ReadonlySet<SendRecord['state']> = new Set(['attempting', 'confirming', 'sent', 'unknown']);

function mayHaveGoneOut({ state, guid }: SendRecord): boolean {
  return WENT_OUT.has(state) || (state === 'failed' && guid !== null);
}

/** Equal for texts that the person would see as the same in the same conversation. */
export function wordsKey(conversation: string, text: string): string {
  const seen = text.normalize('NFC').trim().replaceAll(/\s+/gu, ' ');
  return createHash('sha256').update(`${conversation}\n${seen}`).digest('base64url');
}

/** Reads from the store what the rules of `pairing.ts` need to know of a conversation. */
export class DuplicatePairing {
  private readonly steadyNow: () => number;

  constructor(
    private readonly store: Pick<Store, 'sends' | 'incoming' | 'lineage'>,
    private readonly clock: Clock,
  ) {
    this.steadyNow = steadyNow(clock);
  }

  /** Inside the write that stores a reflex or first bubble. `answers`: the message that it names, if any. */
  decide(text: {
    conversation: string;
    role: 'reflex' | 'first';
    words: string;
    answers: string | null;
  }): PairingDecision {
    const { conversation, role, words, answers } = text;
    const facts = this.facts(conversation, words, answers);
    const namesUnknown = role === 'reflex' && answers !== null && this.isUnknown(answers);
    return decide(facts, { role, words, names: answers, namesUnknown });
  }

  /**
   * No post can have caused this name, not even one of a forgotten agent, whose reflexes are offered again.
   */
  private isUnknown(guid: string): boolean {
    const { incoming, lineage } = this.store;
    if (incoming.isKnown(guid)) return false;
    return lineage.gap()?.reason === 'new' || !lineage.isOfferedAgain();
  }

  private facts(conversation: string, words: string, answers: string | null): PairingFacts {
    const messages = this.store.incoming.posted(
      conversation,
      Math.min(this.clock.now(), this.steadyNow()) - LATE_REFLEX_MS,
    );
    const since = messages.reduce((least, { sendsBefore }) => Math.min(least, sendsBefore), Infinity);
    const reflexes = messages.length === 0 ? [] : this.store.sends.reflexes(conversation, since);
    const guids = new Set([...messages.map(({ guid }) => guid), ...(answers === null ? [] : [answers])]);
    const named = [...guids].flatMap((guid) => this.store.sends.inWords(words, guid));
    // The reply that a reflex is paired with may have come long ago.
    const paired = reflexes
      .filter((reflex) => reflex.twinKey === words && !isDuplicate(reflex))
      .flatMap(({ seq }) => this.store.sends.duplicatesOf(seq));
    const bySeq = new Map([...reflexes, ...named, ...paired].map((send) => [send.seq, send]));
    const texts = [...bySeq.values()].toSorted((a, b) => a.seq - b.seq);
    return { messages, texts: texts.flatMap((send) => this.said(send, bySeq)) };
  }

  /** Nothing if it failed and cannot go out any more, or is neither a reflex nor a first bubble. */
  private said(send: SendRecord, known: ReadonlyMap<number, SendRecord>): SaidText[] {
    const { seq, role, twinKey: words, answers, assumed } = send;
    if ((role !== 'reflex' && role !== 'first') || words === null) return [];
    const duplicateOf = isDuplicate(send) ? send.twin : null;
    const root = duplicateOf === null ? send : (known.get(duplicateOf) ?? this.store.sends.get(duplicateOf));
    // An older version treated different words as duplicates: these were never sent.
    if (root !== undefined && root.twinKey !== words) return [];
    if (send.state === 'failed' && (root?.guid ?? null) === null) return [];
    return [{ seq, role, words, names: answers, assumed, duplicateOf }];
  }
}

/**
 * The text that was (or may have been) sent in the words and for the message of a waiting one, if that is a
 * duplicate only because the two messages, or conversations, are now known to be one (rules 3 and 6). If that
 * was known on arrival, `decide` has found it.
 */
export function saidMeanwhile(
  { sends, incoming }: Pick<Store, 'sends' | 'incoming'>,
  { seq, role, twinKey, answers, twin }: SendRecord,
): SendRecord | undefined {
  if (twinKey === null || answers === null || twin !== null) return undefined;
  if ((role !== 'reflex' && role !== 'first') || !incoming.isKnown(answers)) return undefined;
  return sends
    .inWords(twinKey, answers)
    .filter((said) => role === 'reflex' || said.role === 'reflex')
    .map((said) => (isDuplicate(said) ? sends.get(said.twin) : said))
    .find(
      (root) => root !== undefined && root.seq !== seq && root.twinKey === twinKey && mayHaveGoneOut(root),
    );
}

/** Whether another text is sent instead of it: its own attempts do not count. */
export function isDuplicate<Text extends Pick<SendRecord, 'twin' | 'tag'>>(
  text: Text,
): text is Text & { twin: number } {
  return text.twin !== null && text.tag === null;
}

/**
 * Recognises repeated answers of a backend.
 *
 * A backend answers a message twice: with a reflex over the socket and with the same words as the first bubble of its
 * HTTP reply. A message that is posted again may cause its reflex again for each post. The person should see the words
 * once. `decide` says for each reflex and each first bubble, when it arrives, whether it is sent or duplicates a known
 * text. It is a pure function of stored facts, so a restart changes nothing.
 *
 * The rules:
 *
 * 1. Different words are never duplicates, whatever else is known. Words are equal after Unicode NFC, trimming, and white
 *    space read as one space, within one conversation.
 * 2. A text that failed without a row in chat.db was not sent: nothing is a duplicate of it.
 * 3. A reflex that names a message of ours (`in_reply_to`) belongs to that message. It duplicates the same
 *    words for that message, from a reflex that names it or from the first bubble of its reply, however often
 *    it is repeated. It duplicates no text for another message.
 * 4. A reflex that names an unknown message duplicates only the first bubble of a reply to that message, if
 *    we have one. Else it is sent, also when it is repeated: no post of ours can have caused it, and the name
 *    may be anything. But while commands that a restored store forgot are offered again, rule 3 holds: the
 *    forgotten agent may have posted the message, and the restored one may not have read it again yet.
 * 5. A reflex that names no message is assumed to belong to:
 *    a. the oldest open message that was posted and has had no reflex. Such a message expects one: the reflex
 *    is sent;
 *    b. else a message for which these words were said, open ones first, then those that ended within the last ten
 *       minutes, oldest first. The reflex is a duplicate. A text matches as many reflexes as its message had
 *       posts, itself included, so one answer never matches more than its possible repeats;
 *    c. else the oldest open message that was posted more often than it has had reflexes, else the newest open message, else
 *       the one that ended last. The words are new: the reflex is sent.
 * 6. The first bubble of a reply duplicates a reflex in the same words that names its message; else one that names none,
 *    came after the message was first posted, and is paired with no other message. The earliest such reflex
 *    is chosen, because it can belong to the fewest messages. One that is assumed to belong to another
 *    message is chosen only if the message has no reflex by name, and was posted at least as often as the
 *    reflex was sent. Then the assumption was wrong: the reflex belongs to the message from now on, and the
 *    other message gets the reflexes that were assumed to be this message's.
 *
 * If the facts are ambiguous, these rules send rather than drop. If they drop a text, the person got the same
 * words after the message was first posted.
 */

/** A message of the conversation that the backend may have read. In a list: in the order in which they were written. */
interface PostedMessage {
  readonly guid: string;
  /** Neither answered nor given up. */
  readonly isOpen: boolean;
  /** How often the backend may have read it, from 1. */
  readonly posts: number;
  /** The seq of the newest text when it was first posted: a text with a higher one may answer it. */
  readonly sendsBefore: number;
}

/**
 * A reflex or first bubble that was sent, may be sent, or duplicates one that is. Failed ones are left out
 * (rule 2).
 */
export interface SaidText {
  readonly seq: number;
  readonly role: 'reflex' | 'first';
  /** Equal for equal words in the same conversation (rule 1). */
  readonly words: string;
  /** The message that it certainly answers: of a first bubble its message, of a reflex the known message that it names. */
  readonly names: string | null;
  /** The message that a reflex without a name is assumed to answer. */
  readonly assumed: string | null;
  /** The seq of the text that is sent instead; null: it is sent itself. Never that of another duplicate. */
  readonly duplicateOf: number | null;
}

export interface PairingFacts {
  readonly messages: readonly PostedMessage[];
  /** By seq. */
  readonly texts: readonly SaidText[];
}

/** A text that arrives. */
interface ArrivingText {
  readonly role: 'reflex' | 'first';
  readonly words: string;
  readonly names: string | null;
  /** A reflex names a message that is not known. */
  readonly namesUnknown?: boolean;
}

/** An assumption that is replaced: the reflex `seq` is now assumed to answer message `assumed`. */
interface Reassumption {
  readonly seq: number;
  readonly assumed: string;
}

export type PairingDecision =
  | { readonly kind: 'send'; readonly assumed: string | null }
  | {
      readonly kind: 'duplicate';
      /** The seq of the text that is sent instead. */
      readonly of: number;
      readonly assumed: string | null;
      readonly reassumed: readonly Reassumption[];
    };

/** Applies the rules above to a text that arrives; `facts` are those of its conversation. */
export function decide(facts: PairingFacts, text: ArrivingText): PairingDecision {
  if (text.role === 'first') return ofFirstBubble(facts, text);
  if (text.names === null) return ofUnnamedReflex(facts, text.words);
  return ofNamedReflex(facts, text.words, text.names, text.namesUnknown === true);
}

/** Rules 3 and 4, and an unnamed reflex before it that a repeated post may have said (5b). */
function ofNamedReflex(
  facts: PairingFacts,
  words: string,
  guid: string,
  isUnknown: boolean,
): PairingDecision {
  const said = facts.texts.find(
    (text) => text.words === words && text.names === guid && !(isUnknown && isReflex(text)),
  );
  if (said !== undefined) return duplicate(said);
  const message = facts.messages.find((one) => one.guid === guid);
  const repeated = message === undefined ? undefined : repeatable(facts, words, message);
  return repeated === undefined ? { kind: 'send', assumed: null } : duplicate(repeated);
}

/** Rule 5. */
function ofUnnamedReflex(facts: PairingFacts, words: string): PairingDecision {
  const { messages } = facts;
  const open = messages.filter(({ isOpen }) => isOpen);
  const owed = open.find((message) => reflexesOf(facts, message).length === 0);
  if (owed !== undefined) return { kind: 'send', assumed: owed.guid };
  const ended = messages.filter(({ isOpen }) => !isOpen);
  for (const message of [...open, ...ended]) {
    const said = repeatable(facts, words, message);
    if (said !== undefined) return duplicate(said, message.guid);
  }
  const postedAgain = open.find((message) => reflexesOf(facts, message).length < message.posts);
  const assumed = postedAgain ?? open.at(-1) ?? ended.at(-1);
  return { kind: 'send', assumed: assumed?.guid ?? null };
}

/** Rule 6. */
function ofFirstBubble(facts: PairingFacts, { words, names: guid }: ArrivingText): PairingDecision {
  const { texts, messages } = facts;
  const named = texts.find((text) => isReflex(text) && text.words === words && text.names === guid);
  if (named !== undefined) return duplicate(named);
  const message = messages.find((one) => one.guid === guid);
  if (message === undefined) return { kind: 'send', assumed: null };
  const hasNamed = texts.some((text) => isReflex(text) && text.names === guid);
  const mayTake = ({ assumed, seq }: SaidText) =>
    assumed === guid || (!hasNamed && groupOf(facts, seq).length <= message.posts);
  const taken = texts.find((text) => text.words === words && isFree(facts, text, message) && mayTake(text));
  if (taken === undefined) return { kind: 'send', assumed: null };
  const reassumed = taken.assumed === guid ? [] : reassume(facts, taken, message);
  return { ...duplicate(taken), reassumed };
}

/** The text in these words for a message, if one of its posts can have caused it again. */
function repeatable(facts: PairingFacts, words: string, message: PostedMessage): SaidText | undefined {
  const said = facts.texts.filter((text) => text.words === words && messageOf(text) === message.guid);
  // Counted in one pass: a backend may repeat itself a thousand times.
  const counts = new Map<number, number>();
  for (const text of facts.texts.filter(isReflex))
    counts.set(rootOf(text), (counts.get(rootOf(text)) ?? 0) + 1);
  return said.find((text) => (counts.get(rootOf(text)) ?? 0) < message.posts);
}

/** Whether a reflex that is sent itself can be the one that the reply to this message repeats. */
function isFree(facts: PairingFacts, reflex: SaidText, message: PostedMessage): boolean {
  if (!isReflex(reflex) || reflex.names !== null || reflex.duplicateOf !== null) return false;
  if (reflex.assumed !== message.guid && reflex.seq <= message.sendsBefore) return false;
  return groupOf(facts, reflex.seq).every(({ names }) => names === null);
}

/** A reflex turns out to belong to `message`, not to the one that was assumed; that one gets the reflexes of `message`. */
function reassume(facts: PairingFacts, reflex: SaidText, message: PostedMessage): Reassumption[] {
  const group = groupOf(facts, reflex.seq).map(({ seq }) => ({ seq, assumed: message.guid }));
  const other = facts.messages.find(({ guid }) => guid === reflex.assumed);
  if (other === undefined) return group;
  const given = facts.texts
    .filter((text) => text.assumed === message.guid && isFree(facts, text, other))
    .flatMap(({ seq }) => groupOf(facts, seq))
    .map(({ seq }) => ({ seq, assumed: other.guid }));
  return [...group, ...given];
}

/** A text that is sent itself, and its duplicates. */
function groupOf({ texts }: PairingFacts, root: number): SaidText[] {
  return texts.filter(({ seq, duplicateOf }) => seq === root || duplicateOf === root);
}

function reflexesOf({ texts }: PairingFacts, { guid }: PostedMessage): SaidText[] {
  return texts.filter((text) => isReflex(text) && messageOf(text) === guid);
}

function isReflex({ role }: SaidText): boolean {
  return role === 'reflex';
}

/** The seq of the text that is sent. */
function rootOf({ seq, duplicateOf }: SaidText): number {
  return duplicateOf ?? seq;
}

function messageOf({ names, assumed }: SaidText): string | null {
  return names ?? assumed;
}

function duplicate(said: SaidText, assumed: string | null = null) {
  return { kind: 'duplicate', of: rootOf(said), assumed, reassumed: [] } as const;
}
