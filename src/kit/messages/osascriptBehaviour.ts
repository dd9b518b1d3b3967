import { closeSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freshId } from '../../system/random.js';
import type { FirstState } from './SimulatedSent.js';

/** The language in which errors are put into words; the number at the end is the same in all. */
export type Words = 'en' | 'zh' | 'ja';

/**
 * What becomes of the outgoing row of a text that was sent. `first`: it stays in its first state; `inserted`, `sent`, `delivered`, `read`: written
 * before osascript ends, having come that far; `none`: never written; `late`: as `sent`, that much later;
 * `echoed`: as `sent`, and it comes back, as a text to an address of ours does; `failing`: as `sent`, and that much later it
 * says error 22 ("Not Delivered"); `downgraded`: it says so at once, and that much later Messages has sent it by SMS; `ghost`: an
 * empty row that belongs to no chat, as macOS 26 writes for some groups.
 */
export type RowFate =
  | { readonly kind: 'first' | 'inserted' | 'sent' | 'delivered' | 'read' | 'none' | 'ghost' | 'echoed' }
  | { readonly kind: 'late' | 'failing' | 'downgraded'; readonly afterMs: number };

/** How the outgoing row is first written, and how many ms later it shows that it was sent. */
export interface FirstWriting {
  readonly form: FirstState;
  readonly settlesAfterMs: number;
}

/** The way that was seen, openclaw/imsg #80: an update follows at once, and a watcher that is fast sees what was before it. */
export const FIRST_WRITING: FirstWriting = { form: 'anonymous', settlesAfterMs: 25 };

interface Manner {
  /** `FIRST_WRITING` if left out. */
  readonly first?: FirstWriting;
  /** Waits this long first. */
  readonly slowMs?: number;
  /** Waits first until there is a file of this path. */
  readonly heldUntil?: string;
  /** The language of its errors; English if left out. */
  readonly words?: Words;
  /** `sent` if left out. */
  readonly row?: RowFate;
}

interface GoingWrong {
  /** `before` the target is looked up, or `after` the marker was logged and the text, perhaps, sent. */
  readonly when: 'before' | 'after';
  /** After: whether the text was sent anyway. If left out it was, except for errors that are refusals. */
  readonly sent?: boolean;
}

/**
 * What one call of the osascript stand-in does. `ok`: looks the target up, logs the marker, sends, exits 0.
 * `silent`: sends and exits 0, and prints nothing, not even the marker; `deaf`: the same, and never reads the
 * script. `error`: ends with that AppleScript error. `crash`: ends by a signal (SIGKILL). `hang`: never ends,
 * that is in a quarter of an hour, so that no test leaves it behind for ever.
 */
export type Behaviour = Manner & (GoingRight | (GoingWrong & Fault));

interface GoingRight {
  readonly kind: 'ok' | 'silent' | 'deaf';
}

type Fault =
  | { readonly kind: 'error'; readonly number: number }
  | { readonly kind: 'crash'; readonly signal?: 'SIGKILL' | 'SIGTERM' | 'SIGABRT' }
  | { readonly kind: 'hang' };

/** Which calls a behaviour is for: a part of the text, the whole target; left out: any. */
export interface CallFilter {
  readonly textIncludes?: string;
  readonly target?: string;
}

interface Rule extends CallFilter {
  readonly id: string;
  readonly times: number | 'always';
  readonly behaviour: Behaviour;
}

/** What a call does for which nothing is queued. */
const NORMAL: Behaviour = { kind: 'ok' };

/** Queues a behaviour for the next `times` (1) calls that the filter fits, after those queued before. */
export function behave(
  directory: string,
  behaviour: Behaviour,
  options: CallFilter & { times?: number | 'always' } = {},
): void {
  const { times = 1, ...filter } = options;
  write(directory, [...read(directory), { id: freshId('rule'), times, behaviour, ...filter }]);
}

/** Forgets everything queued; each call is `ok` again. */
export function behaveNormally(directory: string): void {
  write(directory, []);
}

/**
 * Takes the behaviour for one call out of the queue. Each place in the queue is claimed by creating a file, so
 * that it is taken once however many calls run at a time and whichever of them are killed.
 */
export function takeBehaviour(directory: string, call: { text: string; target: string }): Behaviour {
  const fitting = read(directory).filter(
    (rule) =>
      (rule.textIncludes === undefined || call.text.includes(rule.textIncludes)) &&
      (rule.target === undefined || call.target === rule.target),
  );
  return fitting.find((rule) => claim(directory, rule))?.behaviour ?? NORMAL;
}

function claim(directory: string, { id, times }: Rule): boolean {
  if (times === 'always') return true;
  const claims = join(directory, 'claims');
  mkdirSync(claims, { recursive: true });
  for (let place = 0; place < times; place++) {
    try {
      closeSync(openSync(join(claims, `${id}.${place}`), 'wx'));
      return true;
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
    }
  }
  return false;
}

/** The file is only ever written here, so it is taken at its word. */
function read(directory: string): readonly Rule[] {
  try {
    return JSON.parse(readFileSync(join(directory, 'behaviour.json'), 'utf8')) as readonly Rule[];
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

function write(directory: string, rules: readonly Rule[]): void {
  const path = join(directory, 'behaviour.json');
  writeFileSync(`${path}.new`, JSON.stringify(rules));
  renameSync(`${path}.new`, path);
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
