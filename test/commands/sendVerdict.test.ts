import { expect, test } from 'vitest';
import { requestVerdict, type TextOutcome } from '../../src/commands/handlers/sendMessage.js';

const sent = (late: boolean): TextOutcome => ({
  kind: 'sent',
  confirmed: true,
  guid: late ? 'L' : 'G',
  service: 'iMessage',
  late,
});
const failed: TextOutcome = { kind: 'failed', errorCode: 'send_refused', message: 'no' };

const verdictOf = (...outcomes: TextOutcome[]) =>
  requestVerdict(outcomes.map((outcome) => ({ file: null, outcome }))).result;

test('the ack of several parts that corrects an earlier one says so, as for a single text', () => {
  expect(verdictOf(sent(true))).toMatchObject({ outcome: 'sent', late: true });
  expect(verdictOf(sent(false), sent(true))).toMatchObject({
    outcome: 'sent',
    late: true,
    message_guid: 'G',
  });
  expect(verdictOf(sent(true), failed)).toMatchObject({ outcome: 'partly_sent', late: true });
});

test('one that corrects nothing does not', () => {
  expect(verdictOf(sent(false), sent(false))).not.toHaveProperty('late');
  expect(verdictOf(sent(false), failed)).not.toHaveProperty('late');
});
