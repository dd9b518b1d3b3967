import { appendFileSync, copyFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LogFilter, logWish } from '../../src/cli/inspect/LogFilter.js';
import { LogFiles } from '../../src/logging/LogFiles.js';
import { temporaryDirectory } from '../support/temporaryStore.js';

const SEED = 20261130;
const TERMINAL = { isTerminal: false, colour: false, unicode: true, columns: 80 };
const level = fc.constantFrom('debug', 'info', 'warn', 'error');
const words = fc.constantFrom(
  'a b',
  'id-7',
  'id-77',
  'ü👍',
  '] [WARN] ',
  '"level":"error"',
  'x'.repeat(90_000),
);
const event = fc.tuple(level, words, fc.boolean(), fc.nat(59)).map(([name, text, isJson, minute]) => {
  const time = `2026-11-20T08:${String(minute).padStart(2, '0')}:00.000Z`;
  return isJson
    ? JSON.stringify({ time, level: name, msg: text })
    : `[${time}] [${name.toUpperCase()}] ${text} trace=id-7${minute}`;
});
const continued = fc.constantFrom(
  '    at somewhere (id-7:1:2)',
  '[not one of ours',
  '',
  '{"half',
  '[2 neither',
);
const line = fc.oneof({ arbitrary: event, weight: 3 }, { arbitrary: continued, weight: 1 });
const files = fc.array(fc.array(line, { maxLength: 12 }), { minLength: 1, maxLength: 4 });
const wish = fc.record(
  {
    level,
    id: fc.constantFrom('id-7', 'id-77', 'id-71'),
    grep: fc.constantFrom('a b', '^\\[', 'ü', 'trace=id-7'),
    since: fc.constant('2026-11-20T08:30:00.000Z'),
  },
  { requiredKeys: [] },
);

/** A log of these files, the oldest first. */
function write(contents: readonly (readonly string[])[]): string {
  const path = join(temporaryDirectory(), 'edge-agent.log');
  contents.forEach((lines, index) => {
    const number = contents.length - 1 - index;
    writeFileSync(number === 0 ? path : `${path}.${number}`, lines.map((one) => `${one}\n`).join(''));
  });
  return path;
}

/** Each block before the next one is asked for. */
function textOf(blocks: Iterable<Buffer>): string[] {
  return Array.from(blocks, (block) => block.toString());
}

function filterOf(options: Parameters<typeof logWish>[0]): LogFilter {
  const parsed = logWish(options, Date.parse('2026-11-20T09:00:00.000Z'));
  if ('fault' in parsed) throw new Error(parsed.fault);
  return new LogFilter(parsed, TERMINAL);
}

test('blocks from either end, searched as bytes, find what reading every line finds', () => {
  const law = fc.property(files, wish, (contents, options) => {
    const path = write(contents);
    const whole = filterOf(options)
      .entries(contents.flat())
      .map(({ record }) => record);
    const log = LogFiles.open(path);
    try {
      const found = (blocks: Iterable<Buffer>) =>
        Array.from(blocks, (block) =>
          filterOf(options)
            .ofBlock(block)
            .map(({ record }) => record),
        );
      const forward = found(log.oldestFirst()).flat();
      const backward = found(log.newestFirst()).toReversed().flat();
      expect(forward).toEqual(backward);
      expect(forward).toEqual(whole);
    } finally {
      log.close();
    }
  });
  fc.assert(law, { seed: SEED, numRuns: 300 });
});

test.each([
  ['copied and truncated', (path: string) => [copyFileSync(path, `${path}.new`), truncateSync(path)]],
  ['renamed and recreated', (path: string) => [renameSync(path, `${path}.new`), writeFileSync(path, '')]],
])('a log that is %s while it is read is shown completely, and nothing twice', (_, rotate) => {
  const lines = (from: number) =>
    Array.from(
      { length: 9_000 },
      (_, index) => `[2026-11-20T08:00:00.000Z] [INFO] ${'x'.repeat(80)} n=${from + index}`,
    );
  for (const direction of ['oldestFirst', 'newestFirst'] as const) {
    const path = write([lines(0), lines(9_000)]);
    const log = LogFiles.open(path);
    const blocks: string[] = [];
    for (const block of log[direction]()) {
      if (blocks.length === 0) {
        rotate(path);
        renameSync(`${path}.1`, `${path}.2`);
        renameSync(`${path}.new`, `${path}.1`);
        appendFileSync(path, `${lines(18_000).join('\n')}\n`);
      }
      blocks.push(block.toString());
    }
    log.close();
    const text = (direction === 'newestFirst' ? blocks.toReversed() : blocks).join('');
    const numbers = [...text.matchAll(/n=(\d+)\n/g)].map(([, number]) => Number(number));
    expect(numbers).toEqual(Array.from({ length: 18_000 }, (_, index) => index));
  }
});

test('a line that is being written is left for later, and one that a rotated file ends with is not joined to the next', () => {
  const path = write([
    ['[2026-11-20T08:00:00.000Z] [INFO] older'],
    ['[2026-11-20T08:00:01.000Z] [INFO] newer'],
  ]);
  truncateSync(`${path}.1`, '[2026-11-20T08:00:00.000Z] [INFO] older'.length);
  appendFileSync(path, '[2026-11-20T08:00:02.000Z] [INFO] hal');
  const log = LogFiles.open(path);
  const text = textOf(log.oldestFirst()).join('');
  expect(text).toBe('[2026-11-20T08:00:00.000Z] [INFO] older\n[2026-11-20T08:00:01.000Z] [INFO] newer\n');
  expect(textOf(log.newestFirst()).toReversed().join('')).toBe(text);
  log.close();
});

test('without a log there is nothing to read', () => {
  const log = LogFiles.open(join(temporaryDirectory(), 'none.log'));
  expect([[...log.newestFirst()], [...log.oldestFirst()], log.end, log.isEmpty]).toEqual([
    [],
    [],
    undefined,
    true,
  ]);
  log.close();
});
