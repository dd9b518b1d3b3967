import { describe, expect, test } from 'vitest';
import { PairingLedger } from '../support/PairingLedger.js';

/**
 * What happens, in order: `post m1`, `reply m1 A`, `m1 A` (a reflex for m1 that names it), `(m1) A` (one that names
 * none), `age m1` (ten minutes pass after its reply).
 */
function outcomes(...happened: string[]): string[] {
  const ledger = new PairingLedger();
  return happened.flatMap((line) => {
    const [what = '', second = '', words = ''] = line.split(' ');
    if (what === 'post') ledger.post(second);
    if (what === 'age') ledger.age(second);
    if (what === 'post' || what === 'age') return [];
    const guid = what.replaceAll(/[()]/g, '');
    const text =
      what === 'reply' ? ledger.reply(second, words) : ledger.reflex(guid, second, !what.startsWith('('));
    if (text === undefined) return [];
    return [text.duplicateOf === null ? 'sent' : `as ${text.duplicateOf}`];
  });
}

const both = ['post m1', 'post m2'];

describe('the rules of pairing', () => {
  test.for<[rule: string, happened: string[], outcomes: string[]]>([
    [
      '1: other words are never a duplicate',
      ['post m1', 'm1 A', 'post m1', 'm1 B', '(m1) C'],
      ['sent', 'sent', 'sent'],
    ],
    [
      '3: a named reflex repeats however often',
      ['post m1', 'm1 A', 'm1 A', 'm1 A', 'reply m1 A', 'm1 A'],
      ['sent', 'as 1', 'as 1', 'as 1', 'as 1'],
    ],
    ['3: the name stays valid', ['post m1', 'reply m1 A', 'age m1', 'm1 A'], ['sent', 'as 1']],
    [
      '3: another name is another answer',
      [...both, 'm1 A', 'm2 A', 'reply m2 A', 'reply m1 A'],
      ['sent', 'sent', 'as 2', 'as 1'],
    ],
    [
      '3: a name that comes with the repeated post',
      ['post m1', '(m1) A', 'post m1', 'm1 A', 'reply m1 A'],
      ['sent', 'as 1', 'as 1'],
    ],
    [
      '5a: an open message without a reflex comes before an answered one',
      ['post m1', 'reply m1 A', 'post m2', '(m2) A', 'reply m2 A'],
      ['sent', 'sent', 'as 2'],
    ],
    [
      '5a: and before one that is posted again',
      [...both, '(m1) A', 'post m1', '(m2) A', '(m1) A'],
      ['sent', 'sent', 'as 1'],
    ],
    ['5b: a late reflex', ['post m1', 'reply m1 A', '(m1) A', '(m1) A'], ['sent', 'as 1', 'sent']],
    ['5b: not after ten minutes', ['post m1', 'reply m1 A', 'age m1', '(m1) A'], ['sent', 'sent']],
    [
      '5b: each post can repeat once',
      ['post m1', '(m1) A', 'post m1', '(m1) A', '(m1) A', 'post m1', '(m1) A'],
      ['sent', 'as 1', 'sent', 'as 1'],
    ],
    [
      '5b: a repeated reflex may come after the reply',
      ['post m1', '(m1) A', 'post m1', 'reply m1 A', '(m1) A'],
      ['sent', 'as 1', 'as 1'],
    ],
    [
      '5b: also where the reply was in other words',
      ['post m1', 'post m1', 'reply m1 B', '(m1) A', '(m1) A'],
      ['sent', 'sent', 'as 2'],
    ],
    [
      '5c: a correction, said again with the next post',
      ['post m1', '(m1) A', '(m1) B', 'post m1', '(m1) A', '(m1) B'],
      ['sent', 'sent', 'as 1', 'as 2'],
    ],
    [
      '5c: new words go to the message that was posted again',
      [...both, '(m1) A', '(m2) B', 'post m1', '(m1) C', '(m1) C'],
      ['sent', 'sent', 'sent', 'as 3'],
    ],
    [
      '6: out of order',
      [...both, '(m2) A', '(m1) B', 'reply m2 A', 'reply m1 B'],
      ['sent', 'sent', 'as 1', 'as 2'],
    ],
    [
      '6: a wrong assumption is exchanged',
      [...both, '(m2) A', '(m1) B', 'reply m2 A', 'post m1', '(m1) B'],
      ['sent', 'sent', 'as 1', 'as 2'],
    ],
    ['6: one counterpart once', [...both, '(m1) A', 'reply m1 A', 'reply m2 A'], ['sent', 'as 1', 'sent']],
    ['6: a reflex before the post is no counterpart', ['(m0) A', 'post m1', 'reply m1 A'], ['sent', 'sent']],
    [
      '6: one said more often than the message was posted',
      [...both, '(m1) A', '(m2) B', 'post m1', '(m1) A', 'reply m2 A', 'reply m1 A'],
      ['sent', 'sent', 'as 1', 'sent', 'as 1'],
    ],
    [
      '6: a message with a reflex by name takes no other',
      [...both, '(m1) A', 'm2 B', 'reply m2 A', 'reply m1 A'],
      ['sent', 'sent', 'sent', 'as 1'],
    ],
    ['6: but its own', ['post m1', '(m1) A', 'm1 B', 'reply m1 A'], ['sent', 'sent', 'as 1']],
  ])('%s', ([, happened, expected]) => {
    expect(outcomes(...happened)).toEqual(expected);
  });

  test('a text that failed is paired with none; its first duplicate takes its place', () => {
    const ledger = new PairingLedger();
    ledger.post('m1');
    ledger.reflex('m1', 'A', true);
    ledger.reply('m1', 'A');
    ledger.end('failed');
    expect(ledger.reflex('m1', 'A', true).duplicateOf).toBe(2);
    ledger.end('failed');
    ledger.end('failed');
    expect(ledger.reflex('m1', 'A', true).duplicateOf).toBe(null);
  });
});
