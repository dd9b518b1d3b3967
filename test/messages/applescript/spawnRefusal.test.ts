import { expect, test } from 'vitest';
import { EdgeError } from '../../../src/errors.js';
import { fileRefusal, spawnRefusal } from '../../../src/messages/applescript/OsascriptRunner.js';

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: refused`), { code });
}

test.each([
  ['ENOENT', 'osascript_missing', 'later'],
  ['EACCES', 'osascript_missing', 'later'],
  ['ENOEXEC', 'osascript_missing', 'later'],
  ['EAGAIN', 'machine_exhausted', 'later'],
  ['ENOMEM', 'machine_exhausted', 'later'],
  ['EMFILE', 'too_many_files', 'later'],
  ['ENFILE', 'too_many_files', 'later'],
  ['E2BIG', 'text_too_long', 'never'],
])('%s from spawn: nothing sent, %s, %s', (code, reason, retry) => {
  expect(spawnRefusal(systemError(code))).toMatchObject({ kind: 'notStarted', code: null, reason, retry });
});

test.each([
  ['ENOSPC', 'disk_full', 'later'],
  ['EDQUOT', 'disk_full', 'later'],
  ['EROFS', 'state_unwritable', 'later'],
  ['EACCES', 'state_unwritable', 'later'],
  ['EIO', 'state_unwritable', 'later'],
  ['EMFILE', 'too_many_files', 'later'],
  ['ENFILE', 'too_many_files', 'later'],
  ['EFBIG', 'machine_exhausted', 'later'],
  ['EEXIST', 'internal', 'never'],
])('%s from the files of the attempt: nothing sent, %s, %s', (code, reason, retry) => {
  expect(fileRefusal(systemError(code))).toMatchObject({ kind: 'notStarted', code: null, reason, retry });
});

test('the cause inside an EdgeError counts', () => {
  const error = new EdgeError('state_unwritable', 'no', '', { cause: systemError('ENOSPC') });
  expect(fileRefusal(error)).toMatchObject({ reason: 'disk_full' });
});
