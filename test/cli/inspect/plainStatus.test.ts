import { describe, expect, test } from 'vitest';
import { plainStatus } from '../../../src/cli/inspect/plainStatus.js';

describe('the fast path to status', () => {
  test.each([
    ['status', { json: false }],
    ['status --json', { json: true }],
    ['--config a.yaml status', { configPath: 'a.yaml', json: false }],
    ['status --config a.yaml --json', { configPath: 'a.yaml', json: true }],
    ['--config status status', { configPath: 'status', json: false }],
  ])('%s is read', (line, options) => {
    expect(plainStatus(line.split(' '))).toEqual(options);
  });

  test.each([
    '',
    'run',
    '--json',
    '--json status',
    'status --help',
    'status --jsno',
    'status run',
    'status status',
    'status --config',
    'status --config --json',
    'status --json --json',
    '--config a status --config b',
    'statu',
    '--version',
  ])('“%s” is left to the full program', (line) => {
    expect(plainStatus(line.split(' '))).toBeUndefined();
  });
});
