import type { Logger } from '../logging/Logger.js';
import type { SendRecord, SentRows } from '../model/sending.js';
import { EVERY_CONVERSATION } from '../store/conversations.js';
import type { Store } from '../store/Store.js';
import type { Clock } from '../system/clock.js';
import { saidMeanwhile } from './DuplicatePairing.js';
import type { OutcomeRecorder, SendOutcome } from './OutcomeRecorder.js';
import { knownRows, matchRows } from './SendVerifier.js';
import type { SentEvidence } from './SentEvidence.js';

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
 * Inside the write that lifts a pause: what grew too old while it waited fails as `too_late`, before anything goes out.
 * Only a pause does this: a limit, a crash or an outage delays texts and drops none.
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
  // One that was tried before the pause may have gone out all the same: the next attempt looks for its row.
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

/** What becomes of a text that answers a message that went out from this account itself. */
export const ANSWER_WITHDRAWN = {
  kind: 'failed',
  errorCode: 'answer_withdrawn',
  message: 'The message that it answers went out from this account itself: it is not answered.',
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
