import { expect, test } from 'vitest';
import { isPreviewOf, type LinkNeighbour } from '../../../src/messages/chatdb/linkPreview.js';

const text = (rowId: number, said: string): LinkNeighbour => ({ rowId, text: said, isPreview: false });
const preview = (rowId: number, link: string): LinkNeighbour => ({ rowId, text: link, isPreview: true });

test.each([
  ['https://e.com/x', 'look at https://e.com/x now'],
  ['https://e.com/x', 'https://e.com/x'],
  ['https://e.com/x', '(https://e.com/x).'],
  ['https://e.com/x', 'schau „https://e.com/x“'],
  ['https://e.com/x', '看https://e.com/x吧'],
  ['https://e.com/', 'see https://e.com!'],
  ['https://e.com', 'see https://e.com/, please'],
  ['https://e.com', 'see e.com'],
  ['e.com', 'see HTTP://e.com\nplease'],
  ['https://e.com', 'https://e.com/x and https://e.com too'],
])('%s is the preview of: %s', (link, said) => {
  expect(isPreviewOf(link, 2, [text(1, said)])).toBe(true);
});

test.each([
  ['https://e.com', 'first https://e.com/x now'],
  ['https://e.com/x', 'https://e.com/xy'],
  ['https://e.com/x', 'https://e.com/x?y=1'],
  ['https://e.com', 'https://e.com.example'],
  ['https://e.com', 'https://my-e.com and https://a.e.com and me@e.com'],
  ['https://e.com/X', 'https://e.com/x'],
  ['https://', 'https://e.com'],
  ['', 'anything'],
])('%s is not the preview of: %s', (link, said) => {
  expect(isPreviewOf(link, 2, [text(1, said)])).toBe(false);
});

test('one text accounts for one preview: the link sent once more is a message', () => {
  const near = [text(1, 'see https://e.com'), preview(2, 'https://e.com')];
  expect(isPreviewOf('https://e.com', 2, [text(1, 'see https://e.com'), preview(3, 'https://e.com')])).toBe(
    true,
  );
  expect(isPreviewOf('https://e.com', 3, near)).toBe(false);
  expect(isPreviewOf('https://e.com', 5, [...near, text(4, 'https://e.com again')])).toBe(true);
});

test('a text of punctuation is looked through in no time', () => {
  const began = performance.now();
  expect(isPreviewOf(')', 2, [text(1, ')'.repeat(200_000))])).toBe(true);
  expect(isPreviewOf('))', 2, [text(1, `${')'.repeat(200_000)}x`)])).toBe(true);
  expect(performance.now() - began).toBeLessThan(1000);
});
