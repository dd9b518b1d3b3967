import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { safeName } from '../../src/attachments/contentTypes.js';
import { StagingArea } from '../../src/attachments/StagedFiles.js';
import { messageSender } from '../../src/messages/applescript/messageSender.js';
import { OsascriptRunner } from '../../src/messages/applescript/OsascriptRunner.js';
import { SCRIPTS } from '../../src/messages/applescript/scripts.js';
import type { ChatTarget } from '../../src/messages/chatdb/sentRows.js';
import { systemClock } from '../../src/system/clock.js';
import { randomHex } from '../../src/system/random.js';
import { anyText } from '../support/anyText.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { sized } from '../support/size.js';
import { temporaryDirectory } from '../support/temporaryStore.js';

/** What has broken out of quotes somewhere: of AppleScript, of a shell, of a terminal, of a line. */
const NASTY = [
  ...[
    '"',
    "'",
    '`',
    '\\',
    '\\"',
    '$(touch owned)',
    '`touch owned`',
    '; touch owned',
    '| touch owned',
    '&& touch owned',
  ],
  ...[
    '" & (do shell script "touch owned") & "',
    '" \nend tell\ndo shell script "touch owned"\n--',
    '¬\n',
    '«event sysoexec»',
  ],
  ...[
    'item 2 of argv',
    'end run',
    'on run argv',
    '(*',
    '*)',
    '--',
    '-e',
    '-',
    '--help',
    '-l JavaScript',
    '@file',
    '~',
    '*',
    '?',
  ],
  ...[
    '%s%n',
    '$HOME',
    '$@',
    '!!',
    '<<EOF',
    '\n',
    '\r\n',
    '\r',
    '\t',
    '\u001b[2J',
    '\u0007',
    '\u0008',
    '\u007f',
    '\u0085',
  ],
  ...[
    '\u2028',
    '\u2029',
    '\u202e',
    '\ufeff',
    '\u200d',
    'é',
    'é',
    '漢',
    '👨‍👩‍👧‍👦',
    '\ud800',
    '\udfff',
    ' ',
    '  ',
    '',
  ],
];
const nasty = fc
  .array(fc.oneof(fc.constantFrom(...NASTY), anyText({ maxLength: 12 })), {
    minLength: 1,
    maxLength: 8,
  })
  .map((pieces) => pieces.join(''));
/** No argument can hold a NUL byte: a target with one is refused, in a text it is left out. */
const named = nasty.map((text) => text.replaceAll('\0', '') || 'x');

/** The real sender and runner before a program that writes down what it was started with. */
function room() {
  const directory = temporaryDirectory();
  const [path, argv, stdin] = ['osascript', 'argv', 'stdin'].map((name) => join(directory, name));
  writeFileSync(path ?? '', `#!/bin/sh\nprintf '%s\\0' "$@" > '${argv}'\ncat > '${stdin}'\n`);
  chmodSync(path ?? '', 0o755);
  const log = new RecordingLog();
  const runner = new OsascriptRunner({
    ...{
      osascriptPath: path ?? '',
      stateDirectory: join(directory, 'state'),
      env: process.env,
      clock: systemClock,
      log,
    },
  });
  const chat = { current: undefined as ChatTarget | undefined };
  const sender = messageSender({
    runner,
    chatDb: { findChat: () => (chat.current === undefined ? [] : [chat.current]), servicesOf: () => ['SMS'] },
    settings: () => ({ timeoutMs: 20_000, smsFallback: 'always' }),
    isGroup: () => false,
    onResult: () => undefined,
  });
  const received = () => readFileSync(argv ?? '').subarray(0, -1);
  const script = () => readFileSync(stdin ?? '', 'utf8');
  return {
    directory,
    sender,
    chat,
    staging: new StagingArea(join(directory, 'edge-agent')),
    received,
    script,
  };
}

const bytes = (...values: string[]) => Buffer.from(values.join('\0'));

test('whatever a text, a target, an account or the name of a file contains reaches osascript as one argument, byte for byte', async () => {
  const { sender, chat, staging, received, script } = room();
  await fc.assert(
    fc.asyncProperty(nasty, named, named, named, fc.nat(5), async (text, person, account, name, which) => {
      const guid = `any;-;${person}`;
      chat.current = {
        guid,
        identifier: person,
        style: 'direct',
        service: 'iMessage',
        accountId: account,
        newestRow: 1,
      };
      const targets = sender.targets(person, person) ?? [];
      const target = targets[which % targets.length];
      if (target === undefined) throw new Error('there is no target');
      const file = which < 3 ? null : staging.put(name, Buffer.from('x'));
      const tag = `1-00-${randomHex(6)}`;
      expect(await sender.start({ tag, text: file === null ? text : '', file, target })).toEqual({
        kind: 'accepted',
      });
      const content = file === null ? text.replaceAll('\0', '') : '';
      const common = ['-l', 'AppleScript', '-', content, target.address, '13', target.accountId ?? ''];
      expect(received()).toEqual(bytes(...common, ...(file === null ? [] : [file]), tag));
      expect(script()).toBe(SCRIPTS[`${target.form}-${file === null ? 'text' : 'file'}`]);
      if (file !== null) expect(basename(file)).toBe(safeName(name));
      sender.forget(tag);
    }),
    { numRuns: sized(40, 400) },
  );
});

test.each(NASTY.filter((text) => text !== ''))('%j alone is an ordinary text and target', async (value) => {
  const { sender, received } = room();
  const [participant] = sender.targets(value, value) ?? [];
  if (participant === undefined) throw new Error('there is no target');
  const tag = `1-00-${randomHex(6)}`;
  await sender.start({ tag, text: value, file: null, target: participant });
  expect(received()).toEqual(bytes('-l', 'AppleScript', '-', value, value, '13', '', tag));
});
