import { expect, test } from 'vitest';
import { z } from 'zod';
import { fieldsOf } from '../../../src/kit/transcript/fieldsOf.js';
import { list, object, words } from '../../../src/kit/transcript/place.js';

const time = z.iso.datetime();

test('numbers, times, flags and known values stay as they are; an unlisted text is replaced', () => {
  const schema = z.object({
    version: z.string(),
    said: z.string().nullable(),
    count: z.int().min(0),
    at: time.nullable(),
    isOn: z.boolean(),
    state: z.enum(['healthy', 'degraded']),
    problems: z.array(z.object({ since: time, version: z.string() })),
    counts: z.record(z.string(), z.number()),
  });
  expect(fieldsOf(schema, { version: 'version' })).toEqual({
    version: 'version',
    said: 'text',
    count: 'number',
    at: 'time',
    isOn: 'flag',
    state: words('healthy degraded'),
    problems: list(object({ since: 'time', version: 'version' })),
    counts: 'free',
  });
});
