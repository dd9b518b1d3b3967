import { expect, test } from 'vitest';
import { commandVerbs } from '../../src/operator/commandVerbs.js';
import { pauseVerbs } from '../../src/operator/pauseVerbs.js';
import { queueVerbs } from '../../src/operator/queueVerbs.js';
import { scheduleVerbs } from '../../src/operator/scheduleVerbs.js';
import { FakeClock } from '../support/FakeClock.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { temporaryStore } from '../support/temporaryStore.js';

test('input that is no text is refused as an error of the caller, with a remedy, and changes nothing', () => {
  const store = temporaryStore(new FakeClock());
  const log = new RecordingLog();
  const names = { nameOf: () => null };
  const key = (written: string) => written;
  const verbs = {
    ...pauseVerbs(store, key, (written) => ({ key: written, known: true }), log),
    ...queueVerbs(store, names),
    ...commandVerbs(store, names),
    ...scheduleVerbs(store, names, () => ({ kind: 'notFound' }), log),
  };
  const fault = { code: 'invalid_payload', remedy: expect.stringMatching(/./) };
  for (const wrong of [5, '', null, {}, ['x']]) {
    expect(() => verbs.pause({ conversation: wrong })).toThrow(expect.objectContaining(fault));
    expect(() => verbs.resume({ conversation: wrong })).toThrow(expect.objectContaining(fault));
    expect(() => verbs['queue.drop']({ guid: wrong })).toThrow(expect.objectContaining(fault));
    expect(() => verbs['commands.show']({ id: wrong })).toThrow(expect.objectContaining(fault));
    expect(() => verbs['schedule.cancel']({ id: wrong })).toThrow(expect.objectContaining(fault));
  }
  expect(store.pauses.list()).toEqual([]);
});
