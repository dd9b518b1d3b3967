import { askAgent, MAYBE_DONE, noResult } from '../askAgent.js';
import { EXIT } from '../exitCodes.js';
import { print } from '../print.js';

/** Makes the running agent try its backend now. */
export async function kick(options: { configPath?: string }): Promise<number> {
  const asked = await askAgent(options, { verb: 'kick' });
  if ('exitCode' in asked) return asked.exitCode;
  if (asked.answer.kind !== 'answered') return noResult(asked, MAYBE_DONE);
  print('Trying the backend now.');
  return EXIT.ok;
}
