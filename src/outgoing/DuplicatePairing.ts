import { createHash } from 'node:crypto';
import type { SendRecord } from '../model/sending.js';
import type { IncomingTable } from '../store/incoming.js';
import type { SendTable } from '../store/sends.js';
import type { Clock } from '../system/clock.js';
import { steadyNow } from '../system/steadyNow.js';
import { decide, type PairingDecision, type PairingFacts, type SaidText } from './pairing.js';

/** How long after its message ended a reflex that names none may still come, in ms. */
const LATE_REFLEX_MS = 10 * 60_000;

/** Equal for texts that the person would see as the same in the same conversation. */
export function wordsKey(conversation: string, text: string): string {
  const seen = text.normalize('NFC').trim().replaceAll(/\s+/gu, ' ');
  return createHash('sha256').update(`${conversation}\n${seen}`).digest('base64url');
}

/** Reads from the store what the rules of `pairing.ts` need to know of a conversation. */
export class DuplicatePairing {
  private readonly steadyNow: () => number;

  constructor(
    private readonly sends: SendTable,
    private readonly incoming: IncomingTable,
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
    const namesUnknown = role === 'reflex' && answers !== null && !this.incoming.isKnown(answers);
    return decide(facts, { role, words, names: answers, namesUnknown });
  }

  private facts(conversation: string, words: string, answers: string | null): PairingFacts {
    const messages = this.incoming.posted(
      conversation,
      Math.min(this.clock.now(), this.steadyNow()) - LATE_REFLEX_MS,
    );
    const since = messages.reduce((least, { sendsBefore }) => Math.min(least, sendsBefore), Infinity);
    const reflexes = messages.length === 0 ? [] : this.sends.reflexes(conversation, since);
    const guids = new Set([...messages.map(({ guid }) => guid), ...(answers === null ? [] : [answers])]);
    const named = [...guids].flatMap((guid) => this.sends.inWords(words, guid));
    // The reply that a reflex is paired with may have come long ago.
    const paired = reflexes
      .filter((reflex) => reflex.twinKey === words && !isDuplicate(reflex))
      .flatMap(({ seq }) => this.sends.duplicatesOf(seq));
    const bySeq = new Map([...reflexes, ...named, ...paired].map((send) => [send.seq, send]));
    const texts = [...bySeq.values()].toSorted((a, b) => a.seq - b.seq);
    return { messages, texts: texts.flatMap((send) => this.said(send, bySeq)) };
  }

  /** Nothing if it failed and cannot go out any more, or is neither a reflex nor a first bubble. */
  private said(send: SendRecord, known: ReadonlyMap<number, SendRecord>): SaidText[] {
    const { seq, role, twinKey: words, answers, assumed } = send;
    if ((role !== 'reflex' && role !== 'first') || words === null) return [];
    const duplicateOf = isDuplicate(send) ? send.twin : null;
    const root = duplicateOf === null ? send : (known.get(duplicateOf) ?? this.sends.get(duplicateOf));
    // An older version took other words for a duplicate: these never went out.
    if (root !== undefined && root.twinKey !== words) return [];
    if (send.state === 'failed' && (root?.guid ?? null) === null) return [];
    return [{ seq, role, words, names: answers, assumed, duplicateOf }];
  }
}

/** Whether another text goes out in its place: it was never tried itself. */
export function isDuplicate({ twin, tag }: Pick<SendRecord, 'twin' | 'tag'>): boolean {
  return twin !== null && tag === null;
}
