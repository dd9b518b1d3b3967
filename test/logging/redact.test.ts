import { expect, test } from 'vitest';
import { redactor } from '../../src/logging/formatLine.js';

test('a short secret garbles no words', () => {
  expect(redactor(['edge'])('edge-agent on the edge')).toBe('edge-agent on the edge');
  expect(redactor(['messages'])('submessages: 3 messages_read, Messages')).toBe(
    'submessages: 3 messages_read, Messages',
  );
});

test('a secret of some length is hidden as a whole value', () => {
  const conceal = redactor(['hunter2', 'a b/cé"d']);
  expect(conceal('Bearer hunter2, key=hunter2&x "hunter2"')).toBe(
    'Bearer [secret], key=[secret]&x "[secret]"',
  );
  expect(conceal(`${JSON.stringify('a b/cé"d')} ${encodeURIComponent('a b/cé"d')}`)).toBe(
    '"[secret]" [secret]',
  );
});

test('a long secret is hidden wherever it is', () => {
  const secret = '0123456789abcdef0123456789abcdef';
  expect(redactor([secret])(`x${secret}y`)).toBe('x[secret]y');
});
