import { expect, test } from 'vitest';
import { ForwardPolicy, type ForwardSettings } from '../../src/incoming/forwarding.js';
import type { ForwardSubject } from '../../src/model/incoming.js';

const ANN = '+13105551234';
const BOB = '+13105559876';

function refusal(settings: Partial<ForwardSettings>, subject: Partial<ForwardSubject>): string | null {
  const all = { allow: [], ignore: [], unknownSenders: true, oneTimeCodes: false, ...settings };
  const policy = new ForwardPolicy(
    () => all,
    (written) => written.toLowerCase(),
  );
  return policy.refusal({
    conversation: ANN,
    sender: ANN,
    isFiltered: false,
    isAcquainted: true,
    text: 'hello',
    hasOneTimeCode: false,
    ...subject,
  });
}

test('no one is refused without a rule', () => {
  expect(refusal({}, { isFiltered: true, isAcquainted: false })).toBe(null);
});

test('an ignored sender stays ignored, allowed or not, in groups too', () => {
  expect(refusal({ ignore: [ANN], allow: [ANN] }, {})).toBe('ignored');
  expect(refusal({ ignore: [ANN] }, { conversation: 'chat1' })).toBe('ignored');
  expect(refusal({ ignore: ['CHAT1'] }, { conversation: 'chat1', sender: BOB })).toBe('ignored');
});

test('an allow list admits its people and groups, and no one else', () => {
  expect(refusal({ allow: [BOB] }, {})).toBe('not_allowed');
  expect(refusal({ allow: [BOB] }, { conversation: 'chat1', sender: BOB })).toBe(null);
  expect(refusal({ allow: ['chat1'] }, { conversation: 'chat1', sender: null })).toBe(null);
});

test('a sender is unknown who was filtered and never written to; an allowed one is known', () => {
  expect(refusal({ unknownSenders: false }, {})).toBe(null);
  expect(refusal({ unknownSenders: false }, { isFiltered: true })).toBe('unknown_sender');
  expect(refusal({ unknownSenders: false }, { isAcquainted: false })).toBe('unknown_sender');
  expect(refusal({ unknownSenders: false, allow: [ANN] }, { isAcquainted: false })).toBe(null);
});

test('a sign-in code is judged once its text is known', () => {
  expect(refusal({}, { hasOneTimeCode: true, text: null })).toBe(null);
  expect(refusal({}, { hasOneTimeCode: true })).toBe('one_time_code');
  expect(refusal({}, { sender: '72000', text: 'code 1234' })).toBe('one_time_code');
  expect(refusal({ oneTimeCodes: true }, { sender: '72000', text: 'code 1234' })).toBe(null);
});

test('a changed list takes effect at the next message', () => {
  let settings: ForwardSettings = { allow: [], ignore: [], unknownSenders: true, oneTimeCodes: true };
  const policy = new ForwardPolicy(
    () => settings,
    (written) => written,
  );
  const subject = { isFiltered: false, isAcquainted: true, text: null, hasOneTimeCode: false };
  expect(policy.refusal({ conversation: ANN, sender: ANN, ...subject })).toBe(null);
  settings = { ...settings, ignore: [ANN] };
  expect(policy.refusal({ conversation: ANN, sender: ANN, ...subject })).toBe('ignored');
});
