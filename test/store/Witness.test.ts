import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Witness } from '../../src/store/Witness.js';
import { temporaryDirectory } from '../support/temporaryStore.js';
import { WITNESS } from '../support/witnessNote.js';

describe('a witness', () => {
  test('tells what was recorded last, also to another process', () => {
    const path = join(temporaryDirectory(), 'home', 'witness');
    const witness = Witness.open(path);
    expect(witness.read()).toBeUndefined();
    witness.write({ ...WITNESS, directory: `/${'long'.repeat(200)}` }, true);
    witness.write(WITNESS, false);
    expect(Witness.open(path).read()).toEqual(WITNESS);
    witness.close();
  });

  test.each([
    ['a copy of it', (path: string) => cpSync(path, `${path}.copy`, { preserveTimestamps: true })],
    ['damaged', (path: string) => writeFileSync(`${path}.copy`, '{"store":')],
    ['empty', (path: string) => writeFileSync(`${path}.copy`, '')],
  ])('that is %s proves nothing', (_, spoil) => {
    const path = join(temporaryDirectory(), 'witness');
    const witness = Witness.open(path);
    witness.write(WITNESS, false);
    witness.close();
    spoil(path);
    expect(Witness.open(`${path}.copy`).read()).toBeUndefined();
  });
});
