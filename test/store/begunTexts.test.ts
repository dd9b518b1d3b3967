import { expect, test } from 'vitest';
import { begunTexts, forgottenTexts, isBegun, takenUp, withoutKnown } from '../../src/store/Witness.js';

const text = (words: string, tag = words) => ({ conversation: 'ann', text: words, file: null, tag });
const always = () => true;
/** The gap that a restore finds, with what the agent before it had in progress. */
const gapOf = (until: number, words: readonly string[], earlier: ReturnType<typeof forgottenTexts> = []) =>
  forgottenTexts(
    earlier,
    begunTexts(
      earlier,
      words.map((one, nth) => text(one, `${until} ${nth}`)),
    ),
    until,
  );

test('of a text that a store had begun, an older copy of it knows that it may have been sent', () => {
  const copied = gapOf(1, ['ok']);
  const newer = takenUp(copied, [text('ok')], always);
  expect(isBegun(newer, [text('ok')], always)).toBe(false);
  const restored = forgottenTexts(copied, begunTexts(newer, []), 2);
  expect(isBegun(restored, [text('ok')], always)).toBe(true);
});

test('what the store and the witness both record is one attempt, and two attempts are two', () => {
  const gap = forgottenTexts(gapOf(1, ['ok']), begunTexts(gapOf(1, ['ok']), []), 2);
  expect(isBegun(takenUp(gap, [text('ok')], always), [text('ok')], always)).toBe(false);
  const twice = takenUp(gapOf(1, ['ok', 'ok']), [text('ok')], always);
  expect(isBegun(twice, [text('ok')], always)).toBe(true);
});

test('a copy recognises an attempt of its own by the tag: another one with the same text stays', () => {
  const begun = begunTexts([], [text('ok', 'known'), text('ok', 'later')]);
  const left = forgottenTexts([], withoutKnown(begun, [text('ok', 'known'), text('ok', 'ended since')]), 1);
  expect(isBegun(left, [text('ok')], always)).toBe(true);
  expect(isBegun(takenUp(left, [text('ok')], always), [text('ok')], always)).toBe(false);
});

test('is no text that was wanted after the restore that forgot it, however often others follow', () => {
  const gap = gapOf(20, ['yes'], gapOf(10, ['ok']));
  const wantedAt =
    (at: number) =>
    ({ until }: { until: number }) =>
      at < until;
  expect(isBegun(gap, [text('ok')], wantedAt(15))).toBe(false);
  expect(isBegun(gap, [text('yes')], wantedAt(15))).toBe(true);
});

test('the newest are kept, in a size that the witness has room for', () => {
  let gap = gapOf(0, ['first']);
  for (let nth = 1; nth <= 300; nth++) gap = gapOf(nth, [`text ${nth}`, `more ${nth}`], gap);
  expect(isBegun(gap, [text('text 300')], always)).toBe(true);
  expect(isBegun(gap, [text('first')], always)).toBe(false);
  expect(
    JSON.stringify(
      begunTexts(
        gap,
        Array.from({ length: 500 }, (_, nth) => text(String(nth))),
      ),
    ).length,
  ).toBeLessThan(1_600);
});
