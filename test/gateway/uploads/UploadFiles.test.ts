import { existsSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { UploadFiles } from '../../../src/gateway/uploads/UploadFiles.js';
import { systemClock } from '../../../src/system/clock.js';
import { temporaryDirectory } from '../../support/temporaryDirectory.js';

test('a replica that starts leaves alone what another one is writing, and deletes what was abandoned', async () => {
  const directory = temporaryDirectory({ onTestFinished });
  const files = new UploadFiles(directory, systemClock);
  const kept = join(directory, await files.keep('edge_1', 'at_0', Buffer.from('x')));
  const [young, abandoned] = ['young', 'abandoned'].map((name) => join(dirname(kept), `${name}.part`));
  for (const path of [young, abandoned]) writeFileSync(path ?? '', 'x');
  utimesSync(abandoned ?? '', 0, 0);
  await files.prepare();
  expect(readdirSync(dirname(kept)).filter((name) => name.endsWith('.part'))).toEqual(['young.part']);
  expect(existsSync(kept)).toBe(true);
});
