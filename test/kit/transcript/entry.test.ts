import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readTranscript } from '../../../src/kit/transcript/entry.js';
import { temporaryDirectory } from '../../support/temporaryDirectory.js';

const HEAD = '{"kind":"transcript","schema":1,"version":"0","at":"2026-11-20T08:00:00.000Z"}';

test.for([
  [{ kind: 'refused', socket: 1, status: 99_999 }, 'status'],
  [{ kind: 'answer', request: 1, status: 42 }, 'status'],
  [{ kind: 'answer', request: 1, status: 101 }, 'status'],
  [{ kind: 'close', socket: 1, from: 'backend', code: 99 }, 'code'],
  [{ kind: 'close', socket: 1, from: 'backend', code: 2_000 }, 'code'],
  [{ kind: 'request', request: 1, method: 'BAD METHOD', path: '/' }, 'method'],
  [{ kind: 'request', request: 1, method: 'GET', path: '@elsewhere.example/' }, 'path'],
] as const)('%j, which cannot be replayed, is refused with its line and field', ([entry, field], context) => {
  const path = join(temporaryDirectory(context), 'edited.jsonl');
  const good = { at: 1, kind: 'close', socket: 1, from: 'agent', code: 1006 };
  writeFileSync(path, `${[HEAD, JSON.stringify(good), JSON.stringify({ at: 2, ...entry })].join('\n')}\n`);
  expect(() => readTranscript(path)).toThrow(`line 3, is not an entry of a transcript: ${field}: `);
});
