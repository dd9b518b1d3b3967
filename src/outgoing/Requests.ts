import type { Logger } from '../logging/Logger.js';
import type { OutgoingFile, SendRecord, SendRole, SentRows, TextRequest } from '../model/sending.js';
import { EVERY_CONVERSATION } from '../store/conversations.js';
import type { Store } from '../store/Store.js';
import type { Clock } from '../system/clock.js';
import { sendableText } from '../system/utf8.js';
import type { ConversationQueues } from './ConversationQueues.js';
import { DuplicatePairing, type PairingDecision, saidMeanwhile, wordsKey } from './DuplicatePairing.js';
import { endOfDuplicate, type OutcomeRecorder, outcomeOf, type SendOutcome } from './OutcomeRecorder.js';
import { knownRows, matchRows } from './SendVerifier.js';
import { isReply, type SentEvidence } from './SentEvidence.js';

interface RequestsOptions {
  store: Store;
  lanes: ConversationQueues;
  settlement: OutcomeRecorder;
  clock: Clock;
  limits: () => { maxTextLength: number; splitLongTexts: boolean };
  /** After the commit: something waits for a file to be fetched. */
  mustFetch: () => void;
}

/** Enters requests into the ledger, part by part, in the caller's write. */
export class Requests {
  private readonly pairing: DuplicatePairing;

  constructor(private readonly options: RequestsOptions) {
    const { store, clock } = options;
    this.pairing = new DuplicatePairing(store, clock);
  }

  /** Stores a text in its lane, its files behind it. A known id changes nothing. */
  add(given: TextRequest): void {
    const { store, limits, mustFetch } = this.options;
    const request = {
      ...given,
      conversation: store.aliases.resolve(given.conversation),
      // A backend may name a message by the guid of a copy, by which a store that was replaced had posted it.
      ...(given.answers === undefined ? {} : { answers: store.cursor.seen.originalOf(given.answers) }),
    };
    const text = sendableText(request.text);
    const { id, role, pauseMs, files } = request;
    const planned = partsOf(
      files === undefined ? { id, text, role, pauseMs } : { id, text, role, pauseMs, files },
      limits(),
    );
    if ('fault' in planned) {
      this.refuse(request, text, { kind: 'failed', errorCode: 'text_too_long', message: planned.fault });
      return;
    }
    if (request.answers !== undefined && store.incoming.isReversed(request.answers)) {
      this.refuse(request, text, ANSWER_WITHDRAWN);
      return;
    }
    const { parts } = planned;
    if (parts.length > 1 && store.sends.findById(`${id}:1`) !== undefined) return;
    const hasToFetch = parts.some((part) => part.source !== null);
    // What ends at once ends when all of the request is there: its end concerns the parts behind it.
    const ends = parts.map((part) => this.addPart(request, part, hasToFetch));
    for (const end of ends) end?.();
    if (hasToFetch) store.afterCommit(mustFetch);
  }

  /** Enters a part; returns how it is settled if it duplicates a text that has ended. */
  private addPart(request: TextRequest, part: Part, hasToFetch: boolean): (() => void) | undefined {
    const { store, lanes, settlement } = this.options;
    const isPaired = part.role === 'reflex' || part.role === 'first';
    const words = isPaired ? wordsKey(request.conversation, part.text) : null;
    const decision = this.decide(request, part.role, words);
    const own = hasToFetch ? 'staging' : 'queued';
    const state = decision.kind === 'send' ? own : 'waiting';
    const send = this.enter(request, part, words, decision, state);
    if (send === undefined) return undefined;
    if (decision.kind === 'send') {
      lanes.appended(send);
      return undefined;
    }
    for (const { seq, assumed } of decision.reassumed) store.sends.assume(seq, assumed);
    if (decision.reassumed.length > 0 && lanes.has(send.conversation)) lanes.changed(send.conversation);
    // The text that is sent instead may have begun before it was known to answer this message.
    if (isReply(send)) store.lineage.beginAnswer(store.incoming.find(send.answers));
    const root = store.sends.get(decision.of);
    // Forgotten, 7 days after it ended: what else it said then was no failure, or nothing would be its duplicate.
    if (root === undefined) return () => settlement.settle(send, { kind: 'deduplicated' });
    const end = outcomeOf(root, store.sends);
    return end === undefined ? undefined : () => settlement.settle(send, endOfDuplicate(root, end));
  }

  /** It is stored as failed, and its outcome is reported. */
  private refuse(
    request: TextRequest,
    text: string,
    outcome: Extract<SendOutcome, { kind: 'failed' }>,
  ): void {
    const { lanes, settlement } = this.options;
    const { id, role, pauseMs } = request;
    const whole: Part = { id, partOf: null, part: 0, role, text, file: null, source: null, pauseMs };
    const send = this.enter(request, whole, null, null, 'queued');
    if (send === undefined) return;
    lanes.appended(send);
    settlement.settle(send, outcome);
  }

  private enter(
    request: TextRequest,
    part: Part,
    words: string | null,
    decision: PairingDecision | null,
    state: 'staging' | 'queued' | 'waiting',
  ) {
    return this.options.store.sends.add({
      id: part.id,
      conversation: request.conversation,
      threadId: request.threadId,
      text: part.text,
      role: part.role,
      priority: request.priority,
      pauseMs: part.pauseMs,
      commandId: request.commandId ?? null,
      scheduleId: request.scheduleId ?? null,
      answers: request.answers ?? null,
      twinKey: words,
      twin: decision?.kind === 'duplicate' ? decision.of : null,
      assumed: decision?.assumed ?? null,
      state,
      errorCode: null,
      error: null,
      partOf: part.partOf,
      part: part.part,
      file: part.file,
      source: part.source,
      chatGuid: this.chatOf(request.conversation, request.answers),
    });
  }

  /** The chat of the message that is answered. One of another conversation, which a backend may name, decides nothing. */
  private chatOf(conversation: string, answers: string | undefined): string | null {
    const message = answers === undefined ? undefined : this.options.store.incoming.find(answers);
    if (message === undefined || message.chatGuid === '') return null;
    const { aliases } = this.options.store;
    return aliases.resolve(message.conversation) === conversation ? message.chatGuid : null;
  }

  private decide(request: TextRequest, role: SendRole, words: string | null): PairingDecision {
    const { conversation, answers = null } = request;
    if (words === null || (role !== 'reflex' && role !== 'first')) return { kind: 'send', assumed: null };
    if (role === 'first' && answers === null) return { kind: 'send', assumed: null };
    return this.pairing.decide({ conversation, role, words, answers });
  }
}

/** One text or one file, each a separate send. */
interface Part {
  id: string;
  partOf: string | null;
  part: number;
  role: SendRole;
  text: string;
  /** Where the file is staged; only its name while `source` says where it is to be fetched from. */
  file: string | null;
  source: string | null;
  pauseMs: number;
}

interface PartRequest {
  id: string;
  text: string;
  role: SendRole;
  pauseMs: number;
  files?: readonly OutgoingFile[];
}

/** Messages takes one file after the other more surely with a pause between them (docs/facts.md#files). */
const PART_PAUSE_MS = 500;

/**
 * What a request is sent as: its text (cut where it is too long and may be cut), then its files. The whole keeps the id of
 * the request; several parts are numbered `<id>:1`, `<id>:2` … `fault` says why a text cannot be sent.
 */
function partsOf(
  request: PartRequest,
  limits: { maxTextLength: number; splitLongTexts: boolean },
): { parts: Part[] } | { fault: string } {
  const { id, text, role, pauseMs, files = [] } = request;
  const fault = textFault(text, limits.maxTextLength);
  // Nearly every request: no detour for it.
  if (fault === undefined && files.length === 0) {
    return { parts: [{ id, partOf: null, part: 0, role, text, file: null, source: null, pauseMs }] };
  }
  // A reflex is compared with the reply by the whole of its text.
  if (fault !== undefined && (!limits.splitLongTexts || role === 'reflex')) return { fault };
  const texts = fault === undefined ? [text] : splitText(text, limits.maxTextLength);
  if (texts.length > MOST_PARTS) {
    return {
      fault: `The text makes ${texts.length} parts of outgoing.max_text_length; the limit is ${MOST_PARTS}.`,
    };
  }
  if (text === '' && files.length > 0) texts.length = 0;
  const count = texts.length + files.length;
  if (count === 0) return { fault: 'The text is blank, so that no part of it can be sent.' };
  const numbered = (index: number) => ({
    id: count === 1 ? id : `${id}:${index + 1}`,
    partOf: count === 1 ? null : id,
    part: count === 1 ? 0 : index + 1,
    pauseMs: index === 0 ? pauseMs : Math.max(pauseMs, PART_PAUSE_MS),
  });
  const ofTexts = texts.map((piece, index): Part => {
    const pieceRole = index === 0 || role === 'message' ? role : 'bubble';
    return { ...numbered(index), role: pieceRole, text: piece, file: null, source: null };
  });
  const ofFiles = files.map((file, index): Part => {
    const place = 'path' in file ? { file: file.path, source: null } : { file: file.name, source: file.url };
    return { ...numbered(texts.length + index), role: 'message', text: '', ...place };
  });
  return { parts: [...ofTexts, ...ofFiles] };
}

/** Whatever sends so much in one text does not mean a person to read it. */
const MOST_PARTS = 100;

/** Enough text after a position to know whether a grapheme or word continues there, in UTF-16 units. */
const LOOKAHEAD = 256;

/**
 * Cuts a text into parts of at most so many characters (code points) and 100 000 bytes: at the last line break in the
 * second half of a part, else the last white space there, else between words, else between graphemes; inside a
 * grapheme only where one alone is too long. But for white space at the cuts nothing is lost, and no part is blank.
 */
export function splitText(text: string, maxCharacters: number): string[] {
  const parts: string[] = [];
  let rest = text;
  for (;;) {
    const end = reach(rest, maxCharacters);
    if (end === rest.length) {
      if (rest.trim() !== '') parts.push(rest);
      return parts;
    }
    const cut = bestCut(rest, end);
    const part = rest.slice(0, cut).trimEnd();
    if (part !== '') parts.push(part);
    rest = rest.slice(cut).trimStart();
  }
}

/** How far into the text one part may reach, in UTF-16 units; never between two halves of a character, at least one. */
function reach(text: string, maxCharacters: number): number {
  let bytes = 0;
  let at = 0;
  for (let characters = 0; at < text.length; characters++) {
    const code = text.codePointAt(at) ?? 0;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (characters > 0 && (characters >= maxCharacters || bytes > MAX_TEXT_BYTES)) return at;
    at += code > 0xffff ? 2 : 1;
  }
  return at;
}

function bestCut(text: string, end: number): number {
  const least = Math.floor(end / 2);
  const head = text.slice(0, end);
  const line = head.lastIndexOf('\n');
  if (line >= least && line > 0) return line;
  const blank = lastBlank(text, end, least);
  if (blank > 0) return blank;
  const word = boundary('word', text, end);
  const between = boundary('grapheme', text, word >= least && word > 0 ? word : end);
  return between > 0 ? between : end;
}

/** The last white space in front of `end`, or at it: a part may end right where the next word would begin. */
function lastBlank(text: string, end: number, least: number): number {
  for (let at = end; at >= least && at > 0; at--) {
    if (/\s/u.test(text.charAt(at))) return at;
  }
  return -1;
}

/** The last boundary at `end` or before it. The tables of Unicode are loaded for it: no start should. */
function boundary(granularity: 'grapheme' | 'word', text: string, end: number): number {
  const segmenter = new Intl.Segmenter('und', { granularity });
  const segment = segmenter.segment(text.slice(0, end + LOOKAHEAD)).containing(end);
  return segment?.index ?? end;
}

/** One argument of a process cannot exceed 128 KiB on Linux (MAX_ARG_STRLEN); this leaves room on every system. */
export const MAX_TEXT_BYTES = 100_000;

/** Why a text is too long to be sent, naming the limit; undefined if it is not. Lengths are in characters and bytes. */
function textFault(text: string, maxCharacters: number): string | undefined {
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_TEXT_BYTES) return `The text has ${bytes} bytes; the limit is ${MAX_TEXT_BYTES} bytes.`;
  if (text.length <= maxCharacters) return undefined;
  const characters = [...text].length;
  if (characters <= maxCharacters) return undefined;
  return `The text has ${characters} characters; the limit is ${maxCharacters} characters (outgoing.max_text_length).`;
}

/** How long a text may wait in a pause, in ms, by what it is. */
export interface HeldAges {
  text: number;
  reflex: number;
  scheduled: number;
}

interface HeldParts {
  store: Store;
  rows: SentRows;
  evidence: SentEvidence;
  settlement: OutcomeRecorder;
  clock: Clock;
  /** How old something of then (Unix ms) is at least, in ms. */
  ageOf: (at: number) => number;
  log: Logger;
  /** Read at each use. */
  ages: () => HeldAges;
}

/**
 * Inside the write that ends a pause: texts that became too old while they waited fail as `too_late`, before
 * anything is sent. Only a pause does this: a limit, a crash or an outage delays texts and drops none.
 */
export function expireHeld(parts: HeldParts, lifted: string): void {
  const { store } = parts;
  const conversations =
    lifted === EVERY_CONVERSATION
      ? new Set(store.sends.lanes().map(({ conversation }) => conversation))
      : [lifted];
  for (const conversation of conversations)
    if (!store.pauses.covers(conversation)) expireIn(parts, conversation);
}

/** A text that fails may be replaced by a duplicate that is as old: so as long as there are any. */
function expireIn(parts: HeldParts, conversation: string): void {
  const { store, settlement, ageOf, log } = parts;
  for (;;) {
    const tooOld = store.sends.queuedIn(conversation).filter((send) => isTooOld(parts, send));
    if (tooOld.length === 0) return;
    for (const send of tooOld) {
      const waited = Math.round(ageOf(send.createdAt) / 1000);
      const limit = ageLimit(parts.ages(), send) / 1000;
      const message = `The text waited ${waited} s in a paused conversation; the limit is ${limit} s.`;
      settlement.settle(send, { kind: 'failed', errorCode: 'too_late', message });
      log.warn('A text became too old during a pause; it is not sent', { send: send.id });
    }
  }
}

function isTooOld({ clock, ageOf, ages, rows, evidence, store }: HeldParts, send: SendRecord): boolean {
  if (ageOf(send.createdAt) <= ageLimit(ages(), send)) return false;
  // What another text has said meanwhile is its duplicate, not too late.
  if (saidMeanwhile(store, send) !== undefined) return false;
  // A text that was tried before the pause may have been sent: the next attempt looks for its row.
  if (evidence.of(send).kind !== 'none') return false;
  const isTried = send.afterRow !== null;
  if (!isTried) return true;
  const { proofs, undecided } = matchRows([send], rows, knownRows(store), clock.now());
  return !proofs.has(send.seq) && !undecided.has(send.seq);
}

function ageLimit({ text, reflex, scheduled }: HeldAges, send: SendRecord): number {
  if (send.scheduleId !== null) return scheduled;
  return send.role === 'reflex' ? reflex : text;
}

/** The outcome of a text that answers a message that was sent from this account itself. */
const ANSWER_WITHDRAWN = {
  kind: 'failed',
  errorCode: 'answer_withdrawn',
  message: 'The message that it answers was sent from this account, so it is not answered.',
} as const satisfies SendOutcome;

/**
 * Inside a write: fails every text of a conversation that answers this message and has not been handed to Messages. One that has been
 * runs its course: it may have gone out. A text that names no message fails too where it and an answer that names this one are
 * duplicates: they are one answer. Duplicates fail first, or they would take the place of the one that they wait for.
 */
export function withdrawAnswers(
  { store, settlement }: { store: Store; settlement: OutcomeRecorder },
  { guid, conversation }: { guid: string; conversation: string },
): void {
  for (const send of store.sends.inLane(conversation)) {
    const group = [...store.sends.duplicatesOf(send.seq), send];
    if (!group.some(({ answers }) => answers === guid)) continue;
    for (const answer of group.filter(({ answers }) => answers === guid || answers === null)) {
      const now = store.sends.get(answer.seq);
      if (now !== undefined && isOpen(now)) settlement.settle(now, ANSWER_WITHDRAWN);
    }
  }
}

/** Never tried, or queued again for it provably had not begun. */
function isOpen({ state }: SendRecord): boolean {
  return state === 'queued' || state === 'staging' || state === 'waiting';
}
