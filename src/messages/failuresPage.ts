import {
  ERRNO_FAILURES,
  FAILURE_OWNERS,
  isMachineCode,
  OWNER_RULES,
  SQLITE_FAILURES,
} from '../system/failures.js';
import { APPLESCRIPT_FAULTS, type AppleScriptFault, OTHER_FAULT } from './applescript/errors.js';

const HEAD = `# Whose fault a failure is

Made from the code by \`npm run docs\`; a test fails while it is stale.

Whatever can keep a text, a file or a command from being done belongs to one of five owners, and the owner alone decides whether
it is tried again. A text is given up for what is wrong with it or with whom it goes to, never for what this machine lacks.
`;

const OWNERS: Readonly<Record<keyof typeof OWNER_RULES, string>> = {
  text: 'the text, the file or the command itself',
  recipient: 'whom it goes to, or how they are addressed',
  machine: 'this Mac: disk, rights, descriptors, processes, memory, clock',
  messages: 'Messages.app, or what macOS lets us do with it',
  backend: 'the backend, or what it asked for',
};

/** docs/failures.md, whole. */
export function failuresPage(): string {
  return [
    HEAD,
    '## Owners\n',
    table(
      ['owner', 'who that is', 'what follows'],
      entries(OWNER_RULES).map(([owner, rule]) => [owner, OWNERS[owner], rule]),
    ),
    '## By code\n',
    'The codes that an ack, a problem in the status or a log line carries; their remedies are in [operating.md](operating.md#codes).\n',
    table(
      ['code', 'owner'],
      entries(FAILURE_OWNERS).map(([code, owner]) => [`\`${code}\``, owner]),
    ),
    '## By error of the system\n',
    'On the agent\'s own files (its state directory, the copies of files to be sent) and when osascript is started. "Anywhere": also',
    "with other people's files. Any other error on the agent's own files counts as `state_unwritable`; any other error at the start",
    'of osascript counts as `osascript_missing`; `E2BIG` there is `text_too_long`. No attempt counts and nothing is given up.\n',
    table(
      ['errno', 'where', 'owner', 'code', 'meaning'],
      Object.entries(ERRNO_FAILURES).map(([errno, { scope, code, message }]) => [
        `\`${errno}\``,
        scope === 'anywhere' ? 'anywhere' : 'own files',
        FAILURE_OWNERS[code],
        `\`${code}\``,
        message,
      ]),
    ),
    '## By answer of the store\n',
    'Intake stops before anything is acked; what could not be stored is offered again by the backend.\n',
    table(
      ['SQLite', 'owner', 'code'],
      Object.entries(SQLITE_FAILURES).map(([answer, code]) => [`\`${answer}\``, 'machine', `\`${code}\``]),
    ),
    '## By number of AppleScript\n',
    'Where osascript ended before it came to its `send`, or the number is a refusal in itself: then nothing was sent. Otherwise the',
    'outcome is unknown, and nothing is tried again.\n',
    table(
      ['number', 'owner', 'tried again', 'code', 'meaning'],
      [
        ...[...APPLESCRIPT_FAULTS].map(([number, fault]) => appleScriptRow(String(number), fault)),
        appleScriptRow('any other', OTHER_FAULT),
      ],
    ),
  ].join('\n');
}

function appleScriptRow(number: string, fault: AppleScriptFault): string[] {
  return [number, fault.owner, retryWords(fault), `\`${fault.reason}\``, `${fault.meaning}.`];
}

function retryWords({ proves, retry, reason }: AppleScriptFault): string {
  if (proves === 'ae_timeout' || proves === 'connection_lost') return 'no: the outcome is unknown';
  if (isMachineCode(reason)) return 'until the fault is gone';
  return { fallback: 'by the next form', later: 'three times', never: 'no' }[retry];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line), ''].join('\n');
}

function entries<Key extends string, Value>(record: Readonly<Record<Key, Value>>): [Key, Value][] {
  return Object.entries(record) as [Key, Value][];
}
