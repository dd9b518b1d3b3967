import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { APPLESCRIPT_FAULTS, errorNumber } from '../../../src/messages/applescript/errors.js';
import { judgeExit, type ScriptExit } from '../../../src/messages/applescript/OsascriptRunner.js';
import { ERROR_CODES } from '../../../src/model/errorCodes.js';

function exit(changes: Partial<ScriptExit>): ScriptExit {
  return { status: 1, killedByUs: false, marker: false, output: '', ...changes };
}

function failing(number: number, marker: boolean): ScriptExit {
  return exit({ marker, output: `0:0: execution error: Messages: Fehler. (${number})\n` });
}

describe('an error number before the marker', () => {
  test.each([
    [-1728, 'send_refused', 'fallback'],
    [-1719, 'send_refused', 'fallback'],
    [-1700, 'send_refused', 'fallback'],
    [-10004, 'send_refused', 'fallback'],
    [-600, 'messages_unavailable', 'later'],
    [-10810, 'messages_unavailable', 'later'],
    [-10827, 'messages_unavailable', 'later'],
    [-10661, 'messages_unavailable', 'later'],
    [-1708, 'send_refused', 'later'],
    [-10000, 'send_refused', 'later'],
    [-1701, 'send_refused', 'later'],
    [-2700, 'send_refused', 'later'],
    [-2740, 'send_refused', 'fallback'],
    [-2741, 'send_refused', 'fallback'],
    [-2753, 'send_refused', 'fallback'],
    [1002, 'send_refused', 'later'],
    [-128, 'send_refused', 'later'],
    [-43, 'send_refused', 'never'],
    [-1743, 'automation_denied', 'never'],
    [-1744, 'automation_pending', 'later'],
    [1, 'send_refused', 'never'],
    [-31337, 'send_refused', 'later'],
  ])('%i is proof that nothing was sent: %s, %s', (code, reason, retry) => {
    expect(judgeExit(failing(code, false))).toMatchObject({ kind: 'notStarted', code, reason, retry });
  });
});

describe('an error number after the marker', () => {
  test.each([-1743, -1728, -1719, -10004, 1])('%i is still a refusal', (code) => {
    expect(judgeExit(failing(code, true))).toMatchObject({ kind: 'notStarted', code });
  });

  test.each([...APPLESCRIPT_FAULTS].filter(([, fault]) => fault.proves === 'lookup').map(([code]) => code))(
    '%i proves nothing',
    (code) => {
      expect(judgeExit(failing(code, true))).toMatchObject({
        kind: 'unknown',
        code,
        reason: 'after_dispatch',
      });
    },
  );

  test('an unknown number proves nothing', () => {
    expect(judgeExit(failing(-31337, true))).toMatchObject({ kind: 'unknown', reason: 'after_dispatch' });
  });
});

describe.each([false, true])('whatever the marker (%s)', (marker) => {
  test('-1712 is unknown', () => {
    expect(judgeExit(failing(-1712, marker))).toMatchObject({ kind: 'unknown', reason: 'ae_timeout' });
  });

  test('-609 is unknown', () => {
    expect(judgeExit(failing(-609, marker))).toMatchObject({ kind: 'unknown', reason: 'connection_lost' });
  });

  test('the agent’s kill at the deadline is unknown', () => {
    const killed = exit({ status: null, killedByUs: true, marker });
    expect(judgeExit(killed)).toMatchObject({ kind: 'unknown', reason: 'timeout', code: null });
  });

  test('exit 0 is accepted, also when nothing was printed', () => {
    expect(judgeExit(exit({ status: 0, marker }))).toEqual({ kind: 'accepted' });
  });
});

test('another signal proves nothing after the marker and everything before it', () => {
  expect(judgeExit(exit({ status: null, marker: true }))).toMatchObject({
    kind: 'unknown',
    reason: 'killed',
  });
  expect(judgeExit(exit({ status: null }))).toMatchObject({ kind: 'notStarted', retry: 'later' });
});

test('a shell that could not run osascript is distinguished from osascript failing', () => {
  expect(judgeExit(exit({ status: 127 }))).toMatchObject({ kind: 'notStarted', reason: 'osascript_missing' });
});

test('an error without a number follows the marker', () => {
  const output = "osascript: can't open default scripting component.\n";
  expect(judgeExit(exit({ output }))).toMatchObject({ kind: 'notStarted', code: null, retry: 'later' });
  expect(judgeExit(exit({ output, marker: true }))).toMatchObject({ kind: 'unknown', code: null });
});

test('every error has a message and a code of the table of errors', () => {
  for (const fault of APPLESCRIPT_FAULTS.values()) {
    expect(fault.meaning).not.toBe('');
    expect(Object.keys(ERROR_CODES)).toContain(fault.reason);
  }
});

test('the message never quotes what osascript printed', () => {
  const output = 'Messages got an error: Can’t get chat id "iMessage;-;+13105550100". (-1728)';
  const verdict = judgeExit(exit({ output }));
  expect(verdict).toMatchObject({ detail: output });
  expect({ ...verdict, detail: '' }).not.toMatchObject({ message: expect.stringContaining('310') });
});

describe('the error number', () => {
  test.each([
    ['/tmp/a:12:34: execution error: Messages got an error: Can’t get chat id "x". (-1728)\n', -1728],
    ['0:59: execution error: “信息”遇到一个错误：不能获得“chat id "x"”。 (-1728)\n', -1728],
    ['0:5: execution error: “メッセージ”でエラーが起きました: 取り出すことはできません。 (-1728)\r\n', -1728],
    ['execution error: not a member (1)', 1],
    ['execution error: Can’t make "lure (-1743)\n(-600)\n" into type participant. (-1700)\n', -1700],
    ['execution error: gone. (-609)\nobjc[1]: class X is implemented twice\n', -609],
    ['osascript: no such component', null],
    ['(nothing) here (-1728) to see', null],
    ['', null],
  ])('in %j is %s', (output, expected) => {
    expect(errorNumber(output)).toBe(expected);
  });

  test('is the last one, whatever text an error quotes', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: -99_999, max: 9_999 }), (text, number) => {
        expect(errorNumber(`Can’t get chat id "${text}". (${number})\n`)).toBe(number);
      }),
    );
  });
});

describe('on a Mac where the marker is proven to be written at once', () => {
  const proven = (code: number, marker: boolean) =>
    judgeExit({ ...failing(code, marker), isMarkerProven: true });

  test.each([-1712, -609])('%i without the marker is proof that nothing was sent', (code) => {
    expect(proven(code, false)).toMatchObject({
      ...{ kind: 'notStarted', code, reason: 'messages_unavailable', retry: 'later' },
    });
    expect(proven(code, true)).toMatchObject({ kind: 'unknown', code });
  });

  test('an osascript that was killed proves no more than elsewhere', () => {
    const killed = exit({ status: null, killedByUs: true, isMarkerProven: true });
    expect(judgeExit(killed)).toMatchObject({ kind: 'unknown', reason: 'timeout' });
  });
});
