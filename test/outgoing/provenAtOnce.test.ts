import { expect, test } from 'vitest';
import { countCommits } from '../support/countCommits.js';
import { FakeClock } from '../support/FakeClock.js';
import { FakeMessages } from '../support/FakeMessages.js';
import { outgoingOn } from '../support/outgoingOn.js';
import { temporaryStore } from '../support/temporaryStore.js';

const [ANN, BOB] = ['+13105551234', '+13105559876'];

async function sending() {
  const commits = countCommits();
  const clock = new FakeClock();
  const store = temporaryStore(clock);
  const messages = new FakeMessages();
  const outgoing = outgoingOn(store, messages, clock);
  const outcomes: string[] = [];
  outgoing.onOutcome((send, outcome) => {
    const late = outcome.kind === 'sent' && outcome.late ? ' late' : '';
    outcomes.push(`${send.id} ${outcome.kind}${late}`);
  });
  await outgoing.start();
  const enqueue = (id: string, conversation: string, text = id) =>
    store.write(() =>
      outgoing.enqueue({
        id,
        conversation,
        threadId: conversation,
        text,
        role: 'message',
        priority: 2,
        pauseMs: 0,
      }),
    );
  const stateOf = (id: string) => store.sends.findById(id)?.state;
  return { clock, messages, outcomes, commits, enqueue, stateOf };
}

test('a text whose row exists when osascript ends has its end, its outcome and the next attempt in one commit', async () => {
  const { messages, outcomes, commits, enqueue, stateOf } = await sending();
  enqueue('a', ANN);
  enqueue('b', BOB);
  const before = commits();
  await messages.succeed();
  expect(commits() - before).toBe(1);
  expect(outcomes).toEqual(['a sent']);
  expect([stateOf('a'), stateOf('b'), messages.texts]).toEqual(['sent', 'attempting', ['a', 'b']]);
});

test('a row with a failure is waited for, as Messages may still send it by SMS', async () => {
  const { messages, outcomes, enqueue, stateOf } = await sending();
  enqueue('a', ANN);
  await messages.succeed(ANN, 22);
  expect([stateOf('a'), outcomes]).toEqual(['confirming', []]);
});

test('a row that may belong to an older text proves that one, not the text that just ended', async () => {
  const { clock, messages, outcomes, enqueue, stateOf } = await sending();
  enqueue('a', ANN, 'the same words');
  await messages.end({ kind: 'accepted' });
  clock.advance(10_001);
  expect(stateOf('a')).toBe('unknown');
  enqueue('b', ANN, 'the same words');
  await messages.succeed();
  expect(outcomes).toEqual(['a unknown', 'a sent late']);
  expect(stateOf('b')).toBe('confirming');
});
