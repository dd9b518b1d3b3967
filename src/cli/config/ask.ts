import { confirm, input, password } from '@inquirer/prompts';
import { environment } from '../../system/environment.js';
import { terminalOf } from '../terminal.js';

/** Whether there is a person to ask: questions are shown on stderr, and answered at stdin. */
export function isSomebodyThere(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** Asks a person; `usual` is what Enter alone says. No without a person, and where Ctrl-C or Ctrl-D is the answer. */
export async function yesOrNo(question: string, usual: 'yes' | 'no'): Promise<boolean> {
  return isSomebodyThere() && (await unlessLeft(() => ask.yesOrNo(question, usual))) === true;
}

/** As `yesOrNo`, for what cannot be undone: only the whole word is a yes. */
export async function spelledYes(question: string): Promise<boolean> {
  const answer = isSomebodyThere() ? await unlessLeft(() => ask.text(`${question} Type yes:`)) : undefined;
  return /^yes$/i.test(answer?.trim() ?? '');
}

/** Judges what was typed: true, or what is wrong with it. */
type Judge = (text: string) => true | string;

/** The questions that there are, of a person who is there. Each rejects at Ctrl-C and Ctrl-D: see `hasLeft`. */
export const ask = {
  yesOrNo: (message: string, usual: 'yes' | 'no') =>
    atTerminal((context) => confirm({ message, default: usual === 'yes', theme: theme() }, context)),
  /** `usual` is what Enter alone says. */
  text: (message: string, validate: Judge = () => true, usual?: string) =>
    atTerminal((context) =>
      input(
        { message, validate, theme: theme(), ...(usual === undefined ? {} : { default: usual }) },
        context,
      ),
    ),
  hidden: (message: string, validate: Judge) =>
    atTerminal((context) => password({ message, validate, theme: theme() }, context)),
};

/** Whether that is how a question ends at Ctrl-C or Ctrl-D. */
export function hasLeft(error: unknown): boolean {
  return error instanceof Error && ['ExitPromptError', 'AbortPromptError'].includes(error.name);
}

async function unlessLeft<T>(question: () => Promise<T>): Promise<T | undefined> {
  try {
    return await question();
  } catch (error) {
    if (hasLeft(error)) return undefined;
    throw error;
  }
}

/** Inquirer would never end a question whose input Ctrl-D has closed. */
async function atTerminal<T>(
  question: (context: { output: NodeJS.WritableStream; signal: AbortSignal }) => Promise<T>,
): Promise<T> {
  const leaving = new AbortController();
  const onKey = (_text: string, { ctrl, name }: { ctrl: boolean; name: string }) => {
    if (ctrl && name === 'd') leaving.abort();
  };
  process.stdin.on('keypress', onKey);
  try {
    return await question({ output: process.stderr, signal: leaving.signal });
  } finally {
    process.stdin.off('keypress', onKey);
  }
}

/** Inquirer's own ticks an answered question off with a sign that not every terminal shows. */
function theme() {
  return terminalOf(process.stderr, environment()).unicode ? {} : { prefix: { idle: '?', done: 'ok' } };
}
