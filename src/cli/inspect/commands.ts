import type { CommandDetail, CommandEntry } from '../../model/operatorApi.js';
import { systemClock } from '../../system/clock.js';
import { ago, withLocalTimes } from '../../system/time.js';
import { askAgentOrStore, noResult } from '../askAgent.js';
import { EXIT } from '../exitCodes.js';
import { print, printJson, stdoutTerminal } from '../print.js';
import { entryLines, paint, type Style } from '../terminal.js';
import { titled } from '../titled.js';

const STYLES: Readonly<Record<CommandEntry['state'], Style>> = {
  open: 'yellow',
  completed: 'green',
  failed: 'red',
};

/** Lists the newest commands that the agent was given. */
export async function listCommands(options: {
  configPath?: string;
  json?: boolean;
  lines: number;
  open?: boolean;
}): Promise<number> {
  const { lines: limit, open = false } = options;
  const asked = await askAgentOrStore(options, { verb: 'commands.list', limit: Math.max(1, limit), open });
  if ('exitCode' in asked) return asked.exitCode;
  if (asked.answer.kind !== 'answered') return noResult(asked);
  const commands = asked.answer.result;
  if (options.json === true) printJson({ schema: 1, commands });
  else if (commands.length === 0) print(open ? 'No command is open.' : 'There were no commands yet.');
  else print(...commands.flatMap(lines));
  return EXIT.ok;
}

/** Shows one command from its receipt to the ack that the backend read. */
export async function showCommand(
  options: { configPath?: string; json?: boolean },
  id: string,
): Promise<number> {
  const asked = await askAgentOrStore(options, { verb: 'commands.show', id });
  if ('exitCode' in asked) return asked.exitCode;
  if (asked.answer.kind !== 'answered') return noResult(asked);
  const command = asked.answer.result;
  if (options.json === true) printJson({ schema: 1, ...command });
  else print(...timelineLines(command));
  return EXIT.ok;
}

/** A command's life, a step a line: when, how long after the first, what. */
export function timelineLines(command: CommandDetail): string[] {
  const { command_id: id, command_type: type, state, error, timeline } = command;
  const terminal = stdoutTerminal();
  const [first] = timeline;
  const begun = Date.parse(first?.at ?? '');
  const steps = timeline.map(({ at, step, detail }) => {
    const after = `+${((Date.parse(at) - begun) / 1000).toFixed(3)} s`;
    return withLocalTimes(`  ${at}  ${after.padStart(12)}  ${step.replace('_', ' ').padEnd(12)}  ${detail}`);
  });
  const [text] = command.texts;
  const waits = command.texts.some(({ paused, state: of }) => paused && of === 'queued');
  return [
    `${id}  ${type}  ${paint(terminal, STYLES[state], state)}`,
    ...(error === null ? [] : entryLines(`  ${error}`, terminal)),
    ...((text?.name ?? null) === null || text === undefined ? [] : [`  to ${titled(text)}`]),
    ...steps.flatMap((step) => entryLines(step, terminal)),
    ...(waits ? ['  It waits because its conversation is paused: edge-agent status'] : []),
  ];
}

function lines(command: CommandEntry): string[] {
  const { command_id: id, command_type: type, via, state, received_at: at, error } = command;
  const terminal = stdoutTerminal();
  const isUnread = command.ack_read_at === null && state !== 'open' && via !== 'operator';
  const unread = isUnread ? '  ack not read yet' : '';
  const why = error === null ? '' : `  ${error}`;
  const text = `${id}  ${state.padEnd(9)}  ${type}  by ${via}  ${ago(at, systemClock.now())}${unread}${why}`;
  const [head = '', ...more] = entryLines(text, terminal);
  // Painted last: what paints has no width.
  return [head.replace(`  ${state}`, `  ${paint(terminal, STYLES[state], state)}`), ...more];
}
