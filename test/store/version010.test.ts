import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { Store } from '../../src/store/Store.js';
import { Sandbox } from '../config/sandbox.js';
import { FakeClock } from '../support/FakeClock.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { temporaryDirectory } from '../support/temporaryStore.js';

/** What version 0.1.0 left behind: a store that it had worked with, and the configuration that it shipped. */
const left = (name: string) => readFileSync(join(import.meta.dirname, 'version-0.1.0', name));

test('a store that version 0.1.0 worked with opens and has all its data', () => {
  const path = join(temporaryDirectory(), 'edge-agent.db');
  writeFileSync(path, gunzipSync(left('edge-agent.db.gz')));
  const store = Store.open(path, { clock: new FakeClock(), log: new RecordingLog() });
  expect(store.commandLog.find('cmd_sent')?.state).toBe('done');
  expect(store.sends.findById('command:cmd_sent')).toMatchObject({ state: 'sent', text: 'a text of 0.1.0' });
  expect(store.schedule.list('pending', 10)).toMatchObject([
    { commandId: 'cmd_later', text: 'a text for later', sendAt: Date.UTC(2037, 0, 1, 9) },
  ]);
  expect(store.incoming.countOpen()).toBe(0);
  expect(store.acks.count()).toBe(0);
  store.close();
});

test('the configuration of version 0.1.0 is valid and causes no report of a mistake', () => {
  const box = new Sandbox();
  const path = box.write('config.yaml', left('config.yaml').toString());
  const loaded = box.load({ configPath: path, env: { EDGE_SECRET: 'a secret of some length' } });
  expect(loaded.path).toBe(path);
  expect(loaded.warnings).toEqual([]);
});
