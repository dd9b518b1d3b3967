import { askAgentOrStore, MAYBE_DONE, noResult } from '../askAgent.js';
import { EXIT } from '../exitCodes.js';
import { complain, give } from '../print.js';

interface PauseOptions {
  configPath?: string;
  incoming?: boolean;
  json?: boolean;
}

const EVERYTHING = '*';

/**
 * Stops sending, in one conversation or everywhere; texts wait. With `incoming`, incoming messages wait too. Lasts
 * across restarts, until `resume`.
 */
export async function pause(options: PauseOptions, conversation?: string): Promise<number> {
  const asked = await askAgentOrStore(options, { verb: 'pause', ...which(options, conversation) });
  if ('exitCode' in asked) return asked.exitCode;
  if (asked.answer.kind !== 'answered') return noResult(asked, MAYBE_DONE);
  const { conversation: paused, known, changed } = asked.answer.result;
  const waits = options.incoming === true ? 'Texts wait, and so do incoming messages.' : 'Texts wait.';
  const words = changed ? `Paused: ${shown(paused)}. ${waits}` : `Paused before: ${shown(paused)}.`;
  const back = `To resume: edge-agent resume${paused === EVERYTHING ? '' : ` ${paused}`}`;
  give(options, { conversation: paused, known, changed }, words, back);
  if (known === false) complain(`No conversation ${paused} is known in chat.db, so this has no effect yet.`);
  return EXIT.ok;
}

/** Lifts the pause of a conversation, of everything if none is named, or, with `all`, each that there is. */
export async function resume(options: PauseOptions, conversation?: string): Promise<number> {
  const asked = await askAgentOrStore(options, { verb: 'resume', ...which(options, conversation) });
  if ('exitCode' in asked) return asked.exitCode;
  if (asked.answer.kind !== 'answered') return noResult(asked, MAYBE_DONE);
  const { resumed, stillPaused } = asked.answer.result;
  if (resumed.length === 0 && conversation !== undefined && conversation !== 'all') {
    complain(`edge-agent: ${conversation} is not paused.`, 'See all pauses: edge-agent status');
    return EXIT.failed;
  }
  give(options, { resumed, still_paused: stillPaused }, ...resumedLines(options, resumed, stillPaused));
  return EXIT.ok;
}

function resumedLines(
  options: PauseOptions,
  resumed: readonly string[],
  stillPaused: readonly string[],
): string[] {
  const what = options.incoming === true ? 'Resumed, for incoming messages' : 'Resumed';
  const remedy = stillPaused.includes(EVERYTHING)
    ? 'edge-agent resume'
    : 'edge-agent resume <conversation>, or all';
  return [
    ...(resumed.length > 0 ? [`${what}: ${resumed.map(shown).join(', ')}`] : []),
    ...(resumed.length + stillPaused.length === 0 ? ['Nothing was paused.'] : []),
    ...(stillPaused.length > 0
      ? [`Still paused: ${stillPaused.map(shown).join(', ')}. To resume: ${remedy}`]
      : []),
  ];
}

function which(options: PauseOptions, conversation: string | undefined) {
  return {
    ...(conversation === undefined ? {} : { conversation }),
    ...(options.incoming === true ? { incoming: true } : {}),
  };
}

function shown(conversation: string): string {
  return conversation === EVERYTHING ? 'everything' : conversation;
}
