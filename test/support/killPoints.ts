import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Place } from './program.js';

const PRELOAD = pathToFileURL(join(import.meta.dirname, 'crashAtCommit.mjs')).href;

/** How the commit of a step is known: by a statement in it. Patterns are regular expressions in text. */
interface Step {
  statement: string;
  /** The statement's first value, where the same statement belongs to several steps. */
  first?: string;
  /** A commit that also holds such a statement is another step. */
  without?: string;
}

/** The steps of docs/guarantees.md by the names that it gives them. */
export const STEPS = {
  a1: { statement: '^INSERT INTO incoming' },
  a2: { statement: '^UPDATE incoming SET state = \\?', first: 'answered' },
  "a2'": { statement: '^UPDATE incoming SET retry_at = \\?, strikes' },
  b1: { statement: '^INSERT INTO commands' },
  b2: { statement: "^UPDATE commands SET state = 'done'", without: '^INSERT INTO commands' },
  c0: { statement: '^INSERT INTO sends', without: "^UPDATE sends SET state = 'attempting'" },
  "c0'": { statement: "^UPDATE sends SET state = 'queued' WHERE seq = \\? AND state = 'staging'" },
  c1: { statement: "^UPDATE sends SET state = 'attempting'", without: '^INSERT INTO sends' },
  c2: { statement: "^UPDATE sends SET state = 'confirming'", without: '^UPDATE sends SET state = \\?, guid' },
  "c2'": { statement: "^UPDATE sends SET state = 'queued', form" },
  c3: { statement: '^UPDATE sends SET state = \\?, guid', first: 'sent' },
  d1: { statement: '^INSERT INTO schedule' },
  d2: { statement: '^UPDATE schedule SET state', first: 'sending' },
  d3: { statement: '^UPDATE schedule SET state', first: 'sent' },
  e1: { statement: '^INSERT INTO (acks|events)' },
  e2: { statement: '^DELETE FROM (acks|events) WHERE (seq|event_id) =' },
  f1: { statement: '^UPDATE uploads SET state = \\?' },
  /** Whatever is committed, named or not. */
  any: { statement: '' },
} satisfies Record<string, Step>;

export type StepName = keyof typeof STEPS;
export const STEP_NAMES = Object.keys(STEPS) as StepName[];

/** Where a daemon is to die: at the nth commit of this step, right before or right after it. */
export interface KillPoint {
  step: StepName;
  phase: 'before' | 'after';
  nth: number;
}

/** The place in which a daemon is killed at `point`; `killedAt` shows afterwards whether it was. */
export function armed({ cwd, env }: Place, { step, phase, nth }: KillPoint): Place {
  const order = { name: step, phase, nth, ...STEPS[step], note: noteIn(cwd) };
  const options = [...(env.NODE_OPTIONS === undefined ? [] : [env.NODE_OPTIONS]), `--import ${PRELOAD}`];
  return { cwd, env: { ...env, NODE_OPTIONS: options.join(' '), KILL_AT: JSON.stringify(order) } };
}

/** The step and phase of the last kill by a point in this place, such as `c1:after`. */
export function killedAt({ cwd }: Place): string | undefined {
  return existsSync(noteIn(cwd)) ? readFileSync(noteIn(cwd), 'utf8') : undefined;
}

/** Forgets that death, before another one. */
export function forgetDeath({ cwd }: Place): void {
  rmSync(noteIn(cwd), { force: true });
}

function noteIn(directory: string): string {
  return join(directory, 'killed-at');
}
