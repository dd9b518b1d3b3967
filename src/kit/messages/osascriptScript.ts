import type { TargetForm } from '../../messages/applescript/scripts.js';

/** What the stand-in understands of a script: how it names the target, and what it logs before it sends. */
export interface ScriptShape {
  readonly form: TargetForm;
  /** Null if it sends without logging anything right before. */
  readonly marker: string | null;
  /** Which argument, from 1, is the file; null if a text is sent. */
  readonly fileArgument: number | null;
}

const CHAT = /\bchat id \(?item 2 of argv\)?/;
const ADDRESS = /\b(?:participant|buddy) \(?item 2 of argv\)? of\b/;
const SMS = /\bservice type = SMS\b/;
const LOG_THEN_SEND = /\blog "([^"]*)"\s*(?:tell application "Messages"(?: to|\n)\s*)?send\b/;
const FILE = /\bPOSIX file \(?item (\d+) of argv\)?/;

/**
 * Reads a script by its text: not AppleScript, but enough to check whether it would do what it should. Null if it does
 * not send to the target in argument 2, or if its blocks are not closed; osascript would not run it.
 */
export function readScript(source: string): ScriptShape | null {
  if (!/^on run argv$/m.test(source) || !/\bsend\b/.test(source) || !areBlocksClosed(source)) return null;
  const isChat = CHAT.test(source);
  if (!isChat && !ADDRESS.test(source)) return null;
  const byAddress = SMS.test(source) ? 'sms' : 'participant';
  const file = FILE.exec(source)?.[1];
  return {
    form: isChat ? 'chat' : byAddress,
    marker: LOG_THEN_SEND.exec(source)?.[1] ?? null,
    fileArgument: file === undefined ? null : Number(file),
  };
}

/** Every `tell`, `if … then`, `with timeout` and `on run` that opens a block has its own `end`. */
function areBlocksClosed(source: string): boolean {
  const open: string[] = [];
  for (const line of source.split('\n').map((text) => text.trim())) {
    const closed = /^end (\w+)$/.exec(line)?.[1];
    if (closed !== undefined && open.pop() !== closed) return false;
    const opened = blockOpenedBy(line);
    if (opened !== null) open.push(opened);
  }
  return open.length === 0;
}

function blockOpenedBy(line: string): string | null {
  if (/^on run\b/.test(line)) return 'run';
  if (/^tell application "[^"]*"$/.test(line)) return 'tell';
  if (/^if .* then$/.test(line)) return 'if';
  if (/^with timeout of .* seconds?$/.test(line)) return 'timeout';
  return null;
}
