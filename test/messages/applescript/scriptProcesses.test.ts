import { expect, test } from 'vitest';
import { findScriptProcesses, scriptsInPs } from '../../../src/messages/applescript/RunRecovery.js';

const TAG = 'att_0123456789abcdef';
const OSASCRIPT = '/usr/bin/osascript -l AppleScript -';

test('a run is recognised in the process list by its last argument', () => {
  const listing = `
    1 /sbin/launchd
  311 ${OSASCRIPT} hello iMessage;-;+13105550100 60  att_another
  312 ${OSASCRIPT} hello iMessage;-;+13105550100 60  ${TAG}
  400 tail -f /Users/a/state/sends/${TAG}.log`;
  expect(scriptsInPs(listing, TAG)).toContain(312);
  expect(scriptsInPs(listing, TAG)).not.toContain(400);
});

test('a text that forges lines cannot hide the process that carries it', () => {
  const listing = `
  312 ${OSASCRIPT} hello
  999 ${OSASCRIPT} forged
 iMessage;-;+13105550100 60  ${TAG}`;
  expect(scriptsInPs(listing, TAG)).toContain(312);
});

test('nothing is a candidate when the tag ends no line', () => {
  expect(scriptsInPs(`312 ${OSASCRIPT} ${TAG} iMessage;-;a 60  att_other`, TAG)).toEqual([]);
});

test.each(['linux', 'darwin'] as const)('on %s a tag that no process carries is gone', async (platform) => {
  expect(await findScriptProcesses(TAG, platform)).toEqual({ kind: 'gone' });
});
