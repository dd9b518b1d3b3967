import { expect, test } from 'vitest';
import { judgeExit, spawnRefusal } from '../../src/messages/applescript/OsascriptRunner.js';
import { judgeAttempt } from '../../src/supervisor/judgeAttempt.js';

const ended = (
  output: string,
  more: { marker?: boolean; killedByUs?: boolean; status?: number | null } = {},
) => judgeExit({ status: 1, killedByUs: false, marker: true, output, ...more });

test.each([
  ['accepted', { kind: 'accepted' as const }, 'answered'],
  ['-1712, an Apple event that timed out', ended('execution error: … (-1712)'), 'timeout'],
  ['-609, Messages died while it was asked', ended('execution error: … (-609)'), 'timeout'],
  ['killed at the agent’s deadline', ended('', { killedByUs: true, status: null }), 'timeout'],
  [
    'killed at the agent’s deadline before the dispatch',
    ended('', { killedByUs: true, status: null, marker: false }),
    'timeout',
  ],
  ['-600, Messages does not run', ended('execution error: … (-600)', { marker: false }), 'notRunning'],
  ['-1728, no such chat', ended('execution error: … (-1728)', { marker: false }), 'answered'],
  ['-1743, not permitted', ended('execution error: … (-1743)', { marker: false }), 'silent'],
  ['no osascript', spawnRefusal(Object.assign(new Error('spawn ENOENT'), { code: 'ENOENT' })), 'silent'],
] as const)('%s', (_, end, sign) => expect(judgeAttempt(end)).toBe(sign));
