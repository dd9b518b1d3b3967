import {
  ERRNO_FAILURES,
  FAILURE_OWNERS,
  isMachineCode,
  OWNER_RULES,
  SQLITE_FAILURES,
} from '../system/failures.js';
import { APPLESCRIPT_FAULTS, type AppleScriptFault, OTHER_FAULT } from './applescript/errors.js';

const HEAD = `# Failures: causes, and what is retried

Generated from the code by \`npm run docs\`; a test fails if it is out of date.

Every fault that can stop a text, a file or a command has one of five owners, and only the owner decides whether it is retried. The
agent gives up on a text because of the text or its recipient, never because of a fault of this machine.
`;

const OWNERS: Readonly<Record<keyof typeof OWNER_RULES, string>> = {
  text: 'the text, the file or the command itself',
  recipient: 'the recipient, or how it is addressed',
  machine: 'this Mac: disk, permissions, file descriptors, processes, memory, clock',
  messages: 'Messages.app, or what macOS allows with it',
  backend: 'the backend, or its request',
};

/** docs/failures.md, whole. */
export function failuresPage(): string {
  return [
    HEAD,
    '## Owners\n',
    table(
      ['owner', 'meaning', 'what the agent does'],
      entries(OWNER_RULES).map(([owner, rule]) => [owner, OWNERS[owner], rule]),
    ),
    '## By code\n',
    'The codes that an ack, a problem in the status or a log line carries; their remedies are in [operating.md](operating.md#codes).\n',
    table(
      ['code', 'owner'],
      entries(FAILURE_OWNERS).map(([code, owner]) => [`\`${code}\``, owner]),
    ),
    '## By system error\n',
    'On the agent\'s own files (its state directory, the copies of files to be sent) and when osascript is started. "Anywhere": also',
    "with other people's files. Any other error on the agent's own files counts as `state_unwritable`; any other error at the start",
    'of osascript counts as `osascript_missing`; `E2BIG` there is `text_too_long`. No attempt is counted and nothing is given up.\n',
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
    '## By SQLite error\n',
    'Nothing new is accepted and nothing is acked; the backend offers again what could not be stored.\n',
    table(
      ['SQLite', 'owner', 'code'],
      Object.entries(SQLITE_FAILURES).map(([answer, code]) => [`\`${answer}\``, 'machine', `\`${code}\``]),
    ),
    '## By AppleScript error number\n',
    'If osascript ended before its `send`, or the number itself is a refusal, nothing was sent. Otherwise the',
    'outcome is unknown, and the text is not sent again.\n',
    table(
      ['number', 'owner', 'retried', 'code', 'meaning'],
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
  return { fallback: 'with the next form of the target', later: 'three times', never: 'no' }[retry];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line), ''].join('\n');
}

function entries<Key extends string, Value>(record: Readonly<Record<Key, Value>>): [Key, Value][] {
  return Object.entries(record) as [Key, Value][];
}
