import { askAgent, MAYBE_DONE, noResult } from '../askAgent.js';
import { EXIT } from '../exitCodes.js';
import { give } from '../print.js';

/** Makes the running agent try its backend now. */
export async function kick(options: { configPath?: string; json?: boolean }): Promise<number> {
  const asked = await askAgent(options, { verb: 'kick' });
  if ('exitCode' in asked) return asked.exitCode;
  if (asked.answer.kind !== 'answered') return noResult(asked, MAYBE_DONE);
  give(options, { kicked: true }, 'Trying the backend now.');
  return EXIT.ok;
}
