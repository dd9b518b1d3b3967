import { expect, test } from 'vitest';
import { z } from 'zod';
import { OPERATIONS } from '../../src/gateway/api/apiContract.js';
import { fieldErrors, mistakesIn, plainIssue } from '../../src/system/plainIssues.js';

const schema = z.strictObject({
  text: z.string().min(1).max(3),
  count: z.int().min(1),
  kind: z.enum(['x', 'y']),
  list: z.array(z.strictObject({ url: z.url() })).max(1),
  own: z.string('expected the name of a chat'),
});

function mistakesOf(value: unknown): readonly string[] {
  const read = schema.safeParse(value, { error: plainIssue });
  return read.success ? [] : fieldErrors(read.error);
}

test('each field at fault is named, with its expected value, in plain words', () => {
  expect(
    mistakesOf({ text: '', count: 1.5, kind: 'z', list: [{ url: 'secret' }, {}], own: 4, frob: 1 }),
  ).toEqual([
    'text: expected some text, found none',
    'count: expected a whole number, found a number',
    'kind: expected one of "x", "y"',
    'list: expected at most 1 entries',
    'own: expected the name of a chat',
    'frob: is not a known field',
  ]);
  expect(mistakesOf(null)).toEqual(['body: expected an object, found nothing']);
});

test('a field inside of a list that is not known is named as well', () => {
  const read = schema.safeParse({
    text: 'a',
    count: 1,
    kind: 'x',
    list: [{ url: 'https://a.b', z: 1 }],
    own: '',
  });
  expect(read.success ? [] : mistakesIn(read.error).map(({ path }) => path)).toEqual([['list', 0, 'z']]);
});

test('no operation of the API answers invalid input with the text of its library', () => {
  const nonsense = [
    null,
    [],
    'x',
    {},
    { frobnicate: 1 },
    { to: 1, url: 1, events: 1, text: [], attachments: [{}] },
  ];
  const operations: readonly Partial<Record<'body' | 'query', z.ZodType>>[] =
    Object.values<object>(OPERATIONS);
  for (const { body, query } of operations)
    for (const value of nonsense)
      for (const part of [body, query]) {
        const read = part?.safeParse(value, { error: plainIssue });
        const words = read === undefined || read.success ? '' : fieldErrors(read.error).join('\n');
        expect(words).not.toMatch(/Invalid|Too |Unrecognized|received|undefined/);
      }
});
