import { expect, test } from 'vitest';
import { concealer } from '../../../src/diagnostics/checks/concealer.js';

const conceal = concealer(['s3cret/1'], '/Users/jane');

test.each([
  ['the secret s3cret/1, or s3cret%2F1', 'the secret [secret], or [secret]'],
  ['+13105551234 and +44 20 7946 0958', '+1•••1234 and +4•••0958'],
  ['(310) 555-7788, 310.555.7788', '3•••7788, 3•••7788'],
  ['jane.doe@example.com', 'j•••@example.com'],
  ['agent edge_13105550100', 'agent edge_1•••0100'],
  ['"phone": "13105550100"', '"phone": "1•••0100"'],
  ['/Users/jane/Library and /Users/joe/x', '~/Library and /Users/•••/x'],
])('%s is concealed', (text, shown) => {
  expect(conceal(text)).toBe(shown);
});

test.each([
  '2026-11-20T10:28:58.123Z',
  'quick_check: ok; 12 MB, version 9',
  'v22.21.0 at /usr/bin/node',
  '127.0.0.1 port 8787, in 12 ms',
  '8c35b330-1234-5678-9012-123456789012',
  'chat831045551234',
])('%s stays', (text) => {
  expect(conceal(text)).toBe(text);
});
