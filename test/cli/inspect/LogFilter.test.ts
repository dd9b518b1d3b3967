import { expect, test } from 'vitest';
import { LogFilter, logWish } from '../../../src/cli/inspect/LogFilter.js';

const NOW = Date.parse('2026-11-20T09:00:00.000Z');
const LINES = [
  '[2026-11-20T08:00:00.000Z] [INFO] Received a message message=G-1 from=+1•••1234',
  '[2026-11-20T08:30:00.000Z] [ERROR] Internal error cause="it broke" trace=G-1',
  '    at somewhere (file.js:1:2)',
  '[2026-11-20T08:59:00.000Z] [WARN] Another message=G-12',
  '{"time":"2026-11-20T08:59:30.000Z","level":"debug","msg":"in json","trace":"G-1"}',
];

function wanted(options: Parameters<typeof logWish>[0]) {
  const wish = logWish(options, NOW);
  if ('fault' in wish) throw new Error(wish.fault);
  const filter = new LogFilter(wish, { isTerminal: false, colour: false, unicode: true, columns: 80 });
  return filter.entries(LINES);
}
const shown = (options: Parameters<typeof logWish>[0]) =>
  wanted(options).map((entry) => LINES.indexOf(entry.shown));

test('without a filter every line is shown, JSON lines too', () => {
  expect(wanted({}).map((entry) => entry.shown)).toEqual([
    ...LINES.slice(0, 4),
    '[2026-11-20T08:59:30.000Z] [DEBUG] in json trace=G-1',
  ]);
});

test('level, age, pattern and id select lines, and a continuation line goes with its line', () => {
  expect(shown({ level: 'warn' })).toEqual([1, 2, 3]);
  expect(shown({ level: 'ERROR' })).toEqual([1, 2]);
  expect(shown({ since: '40m' })).toEqual([1, 2, 3, -1]);
  expect(shown({ grep: 'mess.ge' })).toEqual([0, 3]);
  expect(shown({ id: 'G-1' })).toEqual([0, 1, 2, -1]);
  expect(shown({ id: 'G-12', level: 'warn' })).toEqual([3]);
});

test('with --json each line is an object, whatever its format', () => {
  expect(wanted({ id: 'G-1' }).map((entry) => entry.record)).toEqual([
    {
      time: '2026-11-20T08:00:00.000Z',
      level: 'info',
      msg: 'Received a message',
      message: 'G-1',
      from: '+1•••1234',
    },
    {
      time: '2026-11-20T08:30:00.000Z',
      level: 'error',
      msg: 'Internal error',
      cause: 'it broke',
      trace: 'G-1',
    },
    { time: '2026-11-20T08:30:00.000Z', level: 'error', msg: '    at somewhere (file.js:1:2)' },
    { time: '2026-11-20T08:59:30.000Z', level: 'debug', msg: 'in json', trace: 'G-1' },
  ]);
});

test.each([{ level: 'x' }, { since: 'x' }, { grep: '(' }, { id: '' }])('%j is refused', (options) => {
  expect(logWish(options, NOW)).toHaveProperty('fault');
});

test('an id is found whichever of its bytes is rare in the log, and a line with only its end is not', () => {
  for (const id of ['cmd_7f3a90', 'G-1', 'aaaaaaaaaa', 'mess_é_ages', '7F3A90BC-0000', 'x', 'message']) {
    const lines = [
      ...LINES,
      `[2026-11-20T08:59:40.000Z] [INFO] First trace=${id}`,
      `[2026-11-20T08:59:41.000Z] [INFO] Other trace=other${id}`,
      `[2026-11-20T08:59:42.000Z] [INFO] Its end trace=${id.slice(1)}`,
      `[2026-11-20T08:59:43.000Z] [INFO] Last message=${id} done`,
    ];
    const wish = logWish({ id }, NOW);
    if ('fault' in wish) throw new Error(wish.fault);
    const terminal = { isTerminal: false, colour: false, unicode: true, columns: 80 };
    const asLines = new LogFilter(wish, terminal).entries(lines);
    const filter = new LogFilter(wish, terminal);
    expect(filter.ofBlock(Buffer.from(`${lines.join('\n')}\n`))).toEqual(asLines);
    // What is rare in the first block need not be in the next.
    expect(filter.ofBlock(Buffer.from(`${lines.slice(5).join('\n')}\n`))).toEqual(asLines.slice(-2));
    expect(asLines.length).toBeGreaterThanOrEqual(2);
  }
});
