import { createHash } from 'node:crypto';
import type { IncomingTable } from '../store/incoming.js';
import type { SendRecord } from '../store/sendRecord.js';
import type { SendTable } from '../store/sends.js';
import type { Clock } from '../system/clock.js';
import type { SendOutcome } from './outcome.js';
import { outcomeOf } from './requestEnd.js';

/** A reflex that comes after its reply is compared with first bubbles of this long. */
const LATE_REFLEX_MS = 10 * 60_000;

/** What becomes of a text that may be a twin: sent, held until the twin is settled, or ended at once as the twin's end says. */
export type TwinDecision =
  | { kind: 'send' }
  | { kind: 'wait'; twin: number }
  | { kind: 'ended'; twin: number; outcome: SendOutcome };

/** Equal for texts that the person would see as the same in the same conversation. */
export function twinKey(conversation: string, text: string): string {
  const seen = text.normalize('NFC').trim().replaceAll(/\s+/gu, ' ');
  return createHash('sha256').update(`${conversation}\n${seen}`).digest('base64url');
}

/**
 * The backend answers a message twice: with a reflex over the socket and with the same text as the first bubble of
 * the HTTP reply. One of the two is sent. A decision reads only what is stored, so that restarts change nothing.
 */
export class ReflexTwins {
  constructor(
    private readonly sends: SendTable,
    private readonly incoming: IncomingTable,
    private readonly clock: Clock,
  ) {}

  /** A reflex arrived; `answers` is the message it names, if it names one. */
  onReflex(conversation: string, key: string, answers: string | null): TwinDecision {
    const repeated = this.repeatedReflex(conversation, key, answers);
    if (repeated !== undefined) return this.pairWith(repeated);
    const late = this.sends
      .byTwinKey(key, 'first', 0)
      .find((first) =>
        answers === null
          ? this.isUnmatched(first) && first.createdAt >= this.clock.now() - LATE_REFLEX_MS
          : this.isUnmatched(first) && first.answers === answers,
      );
    return late === undefined ? { kind: 'send' } : this.pairWith(late);
  }

  /** The first bubble of the reply to message `answers` arrived. Only a reflex younger than its first post can be its twin. */
  onFirstBubble(key: string, answers: string): TwinDecision {
    const postedAfter = this.incoming.sendsBefore(answers) ?? this.sends.newest();
    const reflex = this.sends
      .byTwinKey(key, 'reflex', postedAfter)
      .find((sent) => this.isUnmatched(sent) && (sent.answers ?? answers) === answers);
    return reflex === undefined ? { kind: 'send' } : this.pairWith(reflex);
  }

  /**
   * The reflex that this one repeats: while every open message of the conversation has had its reflex and one of
   * them is being posted again, one more reflex is the backend saying the same again, in whatever words.
   */
  private repeatedReflex(conversation: string, key: string, answers: string | null): SendRecord | undefined {
    const open = this.incoming
      .posted(conversation)
      .filter((message) => answers === null || message.guid === answers);
    const oldest = open.reduce((least, message) => Math.min(least, message.sendsBefore), Infinity);
    if (!open.some((message) => message.posts > 1)) return undefined;
    const had = this.sends
      .reflexes(conversation, oldest)
      .filter((reflex) => this.isUnmatched(reflex) && (answers ?? reflex.answers) === reflex.answers);
    if (had.length < open.length) return undefined;
    return had.find((reflex) => reflex.twinKey === key) ?? had.at(-1);
  }

  /**
   * Going out or gone out in its own right, or failed with a row that Messages may yet send; and not yet paired with its
   * counterpart of the other kind.
   */
  private isUnmatched(send: SendRecord): boolean {
    if (send.state === 'waiting' || send.state === 'deduplicated') return false;
    if (send.state === 'failed' && send.guid === null) return false;
    const other = send.role === 'reflex' ? 'first' : 'reflex';
    if (send.twin !== null && this.sends.get(send.twin)?.role === other) return false;
    return !this.sends.twinsOf(send.seq).some((twin) => twin.role === other);
  }

  private pairWith(twin: SendRecord): TwinDecision {
    const end = outcomeOf(twin, this.sends);
    if (end === undefined) return { kind: 'wait', twin: twin.seq };
    return { kind: 'ended', twin: twin.seq, outcome: end.kind === 'failed' ? end : { kind: 'deduplicated' } };
  }
}
