import { EdgeError } from '../../errors.js';
import type { CommandDetail } from '../../model/operatorApi.js';
import { systemClock } from '../../system/clock.js';
import { localTime, withLocalTimes } from '../../system/time.js';
import { type AgentAnswer, askAgent, noResult } from '../askAgent.js';
import { EXIT } from '../exitCodes.js';
import { timelineLines } from '../inspect/commands.js';
import { interruption, wait } from '../interruption.js';
import { complain, complainOf, print, printJson } from '../print.js';
import { parseDuration, parseFuture } from '../times.js';
import { type HandedOver, handOver } from './handOver.js';

export interface SendOptions {
  configPath?: string;
  file?: string;
  at?: string;
  timeout: string;
  json?: boolean;
}

const LOOK_EVERY_MS = 200;
const MAYBE_TAKEN = 'It may have accepted the text. Check before you send it again: edge-agent commands list';

/**
 * Sends a text or a file through the agent, in order and within its limits, and waits for the outcome. Exit 0: sent, or
 * scheduled; 1: provably not sent; 5: not known, or not yet. Ctrl-C ends the wait; the text is still sent.
 */
export async function send(options: SendOptions, to: string, text: string | undefined): Promise<number> {
  const said = text === '-' ? await stdinText() : text;
  const wish = read(options, to, said);
  if ('fault' in wish) {
    complain(`edge-agent: ${wish.fault}`, 'More: edge-agent send --help');
    return EXIT.usage;
  }
  const { at, timeoutMs } = wish;
  const running = await askAgent(options, { verb: 'status' });
  if ('exitCode' in running) return running.exitCode;
  if (running.answer.kind !== 'answered') return noResult(running);
  let handed: HandedOver | undefined;
  let asked: AgentAnswer<CommandDetail> | { exitCode: number };
  try {
    handed = options.file === undefined ? undefined : handOver(running.directory, options.file);
    asked = await askAgent(options, {
      verb: 'send',
      to,
      text: said ?? '',
      ...(at === undefined ? {} : { at: new Date(at).toISOString() }),
      ...(handed === undefined ? {} : { file: handed.file }),
    });
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    complainOf(error);
    return EXIT.failed;
  } finally {
    handed?.withdraw();
  }
  if ('exitCode' in asked) return asked.exitCode;
  if (asked.answer.kind !== 'answered') return noResult(asked, MAYBE_TAKEN);
  return conclude(options, await outcomeOf(options, asked.answer.result, timeoutMs));
}

/** All of stdin but its last line break. For a text that is not to stand in the process list. */
async function stdinText(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '');
}

function read(
  options: SendOptions,
  to: string,
  text: string | undefined,
): { at: number | undefined; timeoutMs: number } | { fault: string } {
  const now = systemClock.now();
  if (to.trim() === '') return { fault: 'There is no recipient.' };
  if ((text ?? '').trim() === '' && options.file === undefined) return { fault: 'There is no text to send.' };
  const timeoutMs = parseDuration(options.timeout);
  if (timeoutMs === undefined) return { fault: `--timeout: expected 90s or 5m, found "${options.timeout}".` };
  if (options.at === undefined) return { at: undefined, timeoutMs };
  const at = parseFuture(options.at, now);
  if (at === undefined) {
    return { fault: `--at: expected 18:30, 2026-12-24T18:30 or 10m, found "${options.at}".` };
  }
  if (at <= now) return { fault: `--at: ${localTime(at)} is past.` };
  return { at, timeoutMs };
}

/** The state of the command when it has ended, is scheduled, or the wait is over. */
async function outcomeOf(
  options: SendOptions,
  queued: CommandDetail,
  timeoutMs: number,
): Promise<CommandDetail> {
  const deadline = systemClock.monotonic() + timeoutMs;
  const stop = interruption();
  let command = queued;
  while (isOpen(command) && systemClock.monotonic() < deadline && !stop.aborted) {
    await wait(LOOK_EVERY_MS, stop);
    const asked = await askAgent(options, { verb: 'commands.show', id: command.command_id });
    // An agent that is being restarted answers again; its store has the text.
    if (!('exitCode' in asked) && asked.answer.kind === 'answered') {
      command = asked.answer.result;
    }
  }
  return command;
}

function isOpen({ state, schedule }: CommandDetail): boolean {
  return state === 'open' && schedule === null;
}

function conclude(options: SendOptions, command: CommandDetail): number {
  const { code, words } = verdict(command);
  if (options.json === true) printJson({ schema: 1, ...command });
  else if (code === EXIT.ok) print(...words);
  else complain(...words.map((line, index) => (index === 0 ? `edge-agent: ${line}` : line)));
  return code;
}

function verdict(command: CommandDetail): { code: number; words: string[] } {
  const { state, schedule, error, result, command_id: id } = command;
  const look = `edge-agent commands show ${id}`;
  if (schedule !== null && state !== 'failed') {
    const cancel = `Take it back: edge-agent schedule cancel ${schedule.schedule_id}`;
    return {
      code: EXIT.ok,
      words: [`Scheduled for ${withLocalTimes(schedule.send_at)}: ${schedule.schedule_id}`, cancel],
    };
  }
  if (state === 'completed') {
    const proof =
      result?.confirmed === false ? 'chat.db could not be read to confirm it' : 'confirmed in chat.db';
    const service = typeof result?.service === 'string' ? `, ${result.service}` : '';
    return { code: EXIT.ok, words: [`Sent (${proof}${service}): ${id}`] };
  }
  if (state === 'failed' && result?.outcome !== 'unknown' && result?.outcome !== 'partly_sent') {
    return { code: EXIT.failed, words: [`Not sent: ${error ?? 'no reason given'}`, `Its story: ${look}`] };
  }
  if (state === 'failed') return { code: EXIT.cannotTell, words: [`${error ?? ''}`, `Its story: ${look}`] };
  const why = command.texts.some(({ paused }) => paused) ? ' Sending is paused there.' : '';
  return {
    code: EXIT.cannotTell,
    words: [
      `It is not known yet whether the text was sent.${why} The agent keeps working on it; do not send it again.`,
      ...timelineLines(command),
      `What became of it: ${look}`,
    ],
  };
}
