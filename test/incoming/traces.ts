import { type Loop, NO_TALK, theyWrote, weWrote } from '../../src/incoming/LoopBreaker.js';

/** What one side does next: waits so long after the other's last text, then writes these. */
export interface Turn {
  waitMs: number;
  texts: readonly string[];
  /** Between the texts of one turn. */
  gapMs?: number;
  sender?: string;
}

export interface Ended {
  loop: Loop | undefined;
  /** How many texts of the agent were sent. */
  ours: number;
  /** Turns of theirs. */
  rounds: number;
  ms: number;
}

/** Plays turns of both sides alternately until a loop is found, or there are none left. */
export function play(
  theirs: Iterable<Turn>,
  ours: (heard: readonly string[], round: number) => Turn,
  most = 2_000,
): Ended {
  let talk = NO_TALK;
  let now = 1_000_000;
  const began = now;
  let [seq, rounds] = [0, 0];
  for (const turn of theirs) {
    if (rounds === most) break;
    rounds += 1;
    now += turn.waitMs;
    for (const [index, words] of turn.texts.entries()) {
      if (index > 0) now += turn.gapMs ?? 0;
      const heard = { sender: turn.sender ?? 'them', words, characters: words.length, at: now, sentAt: now };
      const { talk: next, loop } = theyWrote(talk, heard);
      talk = next;
      if (loop !== undefined) return { loop, ours: seq, rounds, ms: now - began };
    }
    const answer = ours(turn.texts, rounds);
    now += answer.waitMs;
    for (const [index, words] of answer.texts.entries()) {
      if (index > 0) now += answer.gapMs ?? 0;
      seq += 1;
      talk = weWrote(talk, { seq, words, at: now, answers: `m${rounds}` });
    }
  }
  return { loop: undefined, ours: seq, rounds, ms: now - began };
}
