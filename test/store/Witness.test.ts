import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { answeredFrom, begunTexts, forgottenTexts, Witness, withAnswered } from '../../src/store/Witness.js';
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

  test('has room for all that it may have to record', () => {
    const path = join(temporaryDirectory(), 'witness');
    const witness = Witness.open(path);
    const at = Date.UTC(2036, 0, 1);
    let answered = answeredFrom(1_000_000_000);
    for (let nth = 0; nth < 500; nth++)
      answered = withAnswered(answered, { guid: `guid-${nth}`, sentAt: at + nth }, 1_000_000_000 + nth);
    const attempt = (tag: string) => ({ conversation: 'ann', text: 'ok', file: null, tag });
    let earlier = forgottenTexts([], [], at);
    for (let nth = 0; nth < 40; nth++)
      earlier = forgottenTexts(earlier, begunTexts(earlier, [attempt(`${nth}`)]), at + nth).map((group) => ({
        ...group,
        madeUntil: at + 1 / 3,
        shownUntil: at,
      }));
    const attempts = Array.from({ length: 100 }, (_, nth) => attempt(`of this one ${nth}`));
    const clocks = Array.from({ length: 8 }, (_, nth): [number, number[]] => [
      1_000_000_000 + nth,
      nth === 0 ? [-86_400_000, -86_400_001] : [-86_400_000],
    ]);
    const record = {
      ...{ store: 'store_0123456789abcdef', counter: 1_000_000_000, aliveAt: at, revisions: 1_000_000_000 },
      ...{ directory: `/Users/someone/Library/${'x'.repeat(120)}`, answered, clocks, shownUntil: at },
      begun: begunTexts(earlier, attempts),
    };
    witness.write(record, false);
    expect(witness.read()).toEqual(record);
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

test('a mark keeps the end of its gap by the clock of the backend, though the copy of the store does not know that yet', () => {
  const attempt = { conversation: 'ann', text: 'ok', file: null, tag: 'a' };
  const [copied] = forgottenTexts([], begunTexts([], [attempt]), 5);
  if (copied === undefined) throw new Error('there is one');
  const [found] = forgottenTexts([copied], begunTexts([{ ...copied, madeUntil: 7 }], []), 9);
  expect(found).toMatchObject({ until: 5, madeUntil: 7 });
});
