import { expect, test, vi } from 'vitest';
import { LiveScreen } from '../../../src/cli/inspect/LiveScreen.js';

const COLUMNS = 12;
const ROWS = 3;

/** As a terminal that does not wrap shows what is written to it: a cell holds a character, the second one of a wide one is empty. */
function terminal(isWide: (character: string) => boolean) {
  const cells: string[][] = Array.from({ length: ROWS }, () => new Array<string>(COLUMNS).fill(' '));
  let row = 0;
  let column = 0;
  const erase = (from: number, line = cells[row]) => line?.fill(' ', from);
  return {
    lines: () => cells.map((line) => line.join('').trimEnd()),
    write(text: string): boolean {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is read here.
      for (const [, sequence, character = ''] of text.matchAll(/(\u001b\[[?\d;]*[A-Za-z])|([\s\S])/gu)) {
        if (sequence === '\u001b[H') row = column = 0;
        else if (sequence === '\u001b[K') erase(column);
        else if (sequence === '\u001b[J') {
          erase(column);
          for (const line of cells.slice(row + 1)) erase(0, line);
        } else if (sequence !== undefined) continue;
        else if (character === '\n') {
          row += 1;
          column = 0;
        } else {
          const width = isWide(character) ? 2 : 1;
          const at = Math.min(column, COLUMNS - width);
          cells[row]?.splice(at, width, character, ...(width === 2 ? [''] : []));
          // Behind the last column the cursor stays on it.
          column = Math.min(at + width, COLUMNS - 1);
        }
      }
      return true;
    },
  };
}

function screen() {
  const shown = terminal((character) => /[\u4e00-\u9fff]|\p{Emoji_Presentation}/u.test(character));
  const out = { columns: COLUMNS, rows: ROWS, write: vi.fn(shown.write) };
  return { shown, live: new LiveScreen(out as unknown as NodeJS.WriteStream) };
}

test('lines as wide as the terminal are shown to their last character, each time', () => {
  const { shown, live } = screen();
  const lines = ['abcdefghijkl', 'mnopqrstuvwx', '0123456789ab'];
  for (let drawn = 0; drawn < 2; drawn += 1) {
    live.draw(lines);
    expect(shown.lines()).toEqual(lines);
  }
});

test('a line that is too wide is cut at the edge, and no wide character is cut in half', () => {
  const { shown, live } = screen();
  live.draw(['abcdefghijklmnop', '测试测试测试测试', 'a测试测试测试🙂']);
  expect(shown.lines()).toEqual(['abcdefghijkl', '测试测试测试', 'a测试测试测']);
});

test('nothing remains of an earlier longer line, or of earlier lines', () => {
  const { shown, live } = screen();
  live.draw(['abcdefghijkl', 'mnopqrstuvwx', '0123456789ab']);
  live.draw(['测试']);
  expect(shown.lines()).toEqual(['测试', '', '']);
});
