import { createInterface } from 'node:readline/promises';

/** Asks a person; no without a terminal to ask at, and when Ctrl-C or Ctrl-D is the answer. */
export async function yesOrNo(question: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return false;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const closed = new Promise<string>((resolve) => {
      terminal.once('SIGINT', () => resolve('no'));
      terminal.once('close', () => resolve('no'));
    });
    const answer = await Promise.race([terminal.question(`${question} [Y/n] `), closed]);
    return /^(y(es)?)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}
