import type { ScheduleEntry } from '../../model/operatorApi.js';
import { systemClock } from '../../system/clock.js';
import { ago, until, withLocalTimes } from '../../system/time.js';
import { askAgentOrStore, MAYBE_DONE, noResult } from '../askAgent.js';
import { EXIT } from '../exitCodes.js';
import { complain, give, print, printJson, stdoutTerminal } from '../print.js';
import { entryLines } from '../terminal.js';
import { titled } from '../titled.js';

/** Lists texts that are to be sent later. */
export async function listSchedule(options: {
  configPath?: string;
  json?: boolean;
  all?: boolean;
  texts?: boolean;
}): Promise<number> {
  const { all = false, texts = false } = options;
  const asked = await askAgentOrStore(options, { verb: 'schedule.list', all, texts });
  if ('exitCode' in asked) return asked.exitCode;
  if (asked.answer.kind !== 'answered') return noResult(asked);
  const scheduled = asked.answer.result;
  if (options.json === true) printJson({ schema: 1, scheduled });
  else if (scheduled.length === 0) print('Nothing is scheduled.');
  else print(...scheduled.flatMap((text) => lines(text, systemClock.now())));
  return EXIT.ok;
}

/** Takes a scheduled text back. */
export async function cancelScheduled(
  options: { configPath?: string; json?: boolean },
  id: string,
): Promise<number> {
  const asked = await askAgentOrStore(options, { verb: 'schedule.cancel', id });
  if ('exitCode' in asked) return asked.exitCode;
  if (asked.answer.kind !== 'answered') return noResult(asked, MAYBE_DONE);
  const answer = asked.answer.result;
  if (answer.cancelled) {
    give(options, answer, `Cancelled: ${answer.schedule_id}`);
    return EXIT.ok;
  }
  complain(
    `edge-agent: ${id} cannot be cancelled: it is ${answer.status}.`,
    'See what became of it: edge-agent schedule list --all',
  );
  return EXIT.failed;
}

function lines(entry: ScheduleEntry, now: number): string[] {
  const { schedule_id: id, send_at: at, status, characters, files, text, error } = entry;
  const when = Date.parse(at) > now ? `in ${until(at, now)}` : ago(at, now);
  const what = files === 0 ? `${characters} characters` : `${characters} characters, ${files} files`;
  const why = error === null ? '' : `  ${error}`;
  const head = `${id}  ${withLocalTimes(at)} (${when})  ${status}  to ${titled(entry)}  ${what}${why}`;
  const shown = entryLines(head, stdoutTerminal());
  return text === undefined ? shown : [...shown, `  ${JSON.stringify(text)}`];
}
