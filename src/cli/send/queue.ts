import type { QueueEntry } from '../../model/operatorApi.js';
import { withLocalTimes } from '../../system/time.js';
import { askAgentOrStore, MAYBE_DONE, noResult } from '../askAgent.js';
import { EXIT } from '../exitCodes.js';
import { complain, give, print, printJson, stdoutTerminal } from '../print.js';
import { entryLines } from '../terminal.js';
import { titled } from '../titled.js';

/** Lists the messages that were put aside because the backend would not take them. */
export async function listQueue(options: { configPath?: string; json?: boolean }): Promise<number> {
  const asked = await askAgentOrStore(options, { verb: 'queue.list' });
  if ('exitCode' in asked) return asked.exitCode;
  if (asked.answer.kind !== 'answered') return noResult(asked);
  const entries = asked.answer.result;
  if (options.json) printJson({ schema: 1, parked: entries });
  else if (entries.length === 0) print('Nothing is set aside.');
  else print(...entries.flatMap((entry) => entryLines(line(entry), stdoutTerminal())));
  return EXIT.ok;
}

/** Posts a message again that was set aside, or drops it permanently; `all` means every one. */
export async function changeQueue(
  options: { configPath?: string; json?: boolean },
  change: 'retry' | 'drop',
  guid: string,
): Promise<number> {
  const asked = await askAgentOrStore(options, { verb: `queue.${change}`, guid });
  if ('exitCode' in asked) return asked.exitCode;
  if (asked.answer.kind !== 'answered') return noResult(asked, MAYBE_DONE);
  const changed = asked.answer.result;
  if (changed.length === 0 && guid !== 'all') {
    complain(
      `edge-agent: No message that was set aside has the guid ${guid}.`,
      'See them: edge-agent queue list',
    );
    return EXIT.failed;
  }
  const what = change === 'retry' ? 'Posted again' : 'Dropped';
  give(options, { guids: changed }, `${what}: ${changed.length}`);
  return EXIT.ok;
}

function line(entry: QueueEntry): string {
  const { guid, sent_at, attempts, error } = entry;
  return `${guid}  ${titled(entry)}  sent ${withLocalTimes(sent_at)}  ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}  ${error ?? ''}`;
}
