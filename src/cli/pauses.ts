import type { PauseAnswer, ResumeAnswer } from '../agent/pauseVerbs.js';
import { askAgent, noResult } from './askAgent.js';
import { EXIT } from './exitCodes.js';
import { complain, print } from './print.js';

/** Stops what goes out, in one conversation or everywhere; texts wait. Lasts over restarts, until `resume`. */
export async function pause(options: { configPath?: string }, conversation?: string): Promise<number> {
  const asked = await askAgent(options, {
    verb: 'pause',
    ...(conversation === undefined ? {} : { conversation }),
  });
  if ('exitCode' in asked) return asked.exitCode;
  if (asked.answer.kind !== 'answered') return noResult(asked);
  const { conversation: paused, changed } = asked.answer.result as PauseAnswer;
  const where = conversation === undefined ? 'everything' : paused;
  print(changed ? `Paused: ${where}. Texts wait.` : `Paused before: ${where}.`);
  print(`Let it go on: edge-agent resume ${conversation === undefined ? 'all' : paused}`);
  return EXIT.ok;
}

/** Lets texts go out again, in one conversation or, with `all`, wherever they were stopped. */
export async function resume(options: { configPath?: string }, conversation: string): Promise<number> {
  const asked = await askAgent(options, { verb: 'resume', conversation });
  if ('exitCode' in asked) return asked.exitCode;
  if (asked.answer.kind !== 'answered') return noResult(asked);
  const { resumed, stillPaused } = asked.answer.result as ResumeAnswer;
  if (resumed.length === 0 && conversation !== 'all') {
    complain(`edge-agent: ${conversation} is not paused.`, 'See what is: edge-agent status');
    return EXIT.failed;
  }
  print(resumed.length === 0 ? 'Nothing was paused.' : `Resumed: ${resumed.map(shown).join(', ')}`);
  if (stillPaused) print('Everything is still paused: edge-agent resume all');
  return EXIT.ok;
}

function shown(conversation: string): string {
  return conversation === '*' ? 'everything' : conversation;
}
