import { expect, test } from 'vitest';
import { Outboxes } from '../../src/backend/Outboxes.js';
import { Acks, Commands } from '../../src/commands/Commands.js';
import type { HandlerResult } from '../../src/model/command.js';
import { countCommits } from '../support/countCommits.js';
import { FakeClock } from '../support/FakeClock.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { temporaryStore } from '../support/temporaryStore.js';

/** Commands, and the acks of a socket, whose turn of the event loop ends when the test says so. */
function turn() {
  const commits = countCommits();
  const clock = new FakeClock();
  const store = temporaryStore(clock);
  const log = new RecordingLog();
  const ends: (() => void)[] = [];
  const atTurnEnd = (work: () => void) => void ends.push(work);
  const handled: string[] = [];
  const run = ({ commandId }: { commandId: string }): HandlerResult => {
    if (commandId === 'poison') throw new TypeError('a mistake');
    handled.push(commandId);
    return { kind: 'completed', result: {} };
  };
  const acks = new Acks(store, clock);
  const commands = new Commands(store, acks, log, [{ types: ['t'], run }], undefined, atTurnEnd);
  const sent: string[] = [];
  const link = { send: (text: string) => sent.push(text) > 0, backlog: 0, feed: () => undefined, live: true };
  const outboxes = new Outboxes({
    store,
    link,
    log,
    now: () => clock.monotonic(),
    acceptsEvents: () => false,
    atTurnEnd,
  });
  return {
    commits,
    store,
    log,
    handled,
    outboxes,
    sent,
    receive: (via: 'websocket' | 'http', ...ids: string[]) =>
      commands.receive(
        ids.map((commandId) => ({
          commandId,
          commandType: 't',
          payload: {},
          priority: 'normal',
          timestamp: null,
          fault: null,
        })),
        via,
      ),
    end() {
      for (const end of ends.splice(0)) end();
    },
    acked: () => store.acks.after(0, 9).map(({ commandId }) => commandId),
  };
}

test('what comes by the socket in one turn, and what its pong proves, is one commit', () => {
  const { commits, outboxes, sent, receive, end, acked } = turn();
  outboxes.start();
  receive('websocket', 'earlier');
  end();
  outboxes.acks.pump();
  outboxes.pinged();
  expect(sent).toHaveLength(1);
  const before = commits();
  receive('websocket', 'a');
  outboxes.ponged();
  receive('websocket', 'b');
  expect([commits() - before, acked()]).toEqual([0, ['earlier']]);
  end();
  expect([commits() - before, acked()]).toEqual([1, ['a', 'b']]);
});

test('what comes by HTTP is stored when it is received', () => {
  const { receive, acked } = turn();
  receive('websocket', 'a');
  receive('http', 'b');
  expect(acked()).toEqual(['a', 'b']);
});

test('a command whose handler throws affects no other in its turn', () => {
  const { store, handled, receive, end, acked } = turn();
  receive('websocket', 'a', 'poison', 'b');
  receive('websocket', 'c');
  end();
  // The ack of the command that threw comes last; the others keep their order.
  expect(acked()).toEqual(['a', 'b', 'c', 'poison']);
  expect(store.commands.find('poison')?.ack).toMatchObject({ success: false });
  // Of the commits that failed, nothing is left.
  expect(store.commands.countWaiting()).toBe(0);
  expect(new Set(handled)).toEqual(new Set(['a', 'b', 'c']));
});

test('nor does one among many cause a commit for each of them', () => {
  const { commits, store, handled, receive, end } = turn();
  const ids = Array.from({ length: 300 }, (_, n) => (n === 123 ? 'poison' : `c${n}`));
  const before = commits();
  receive('websocket', ...ids);
  end();
  expect(commits() - before).toBeLessThan(20);
  expect(store.commands.find('poison')?.ack).toMatchObject({ success: false });
  const newest = [...new Set(handled.toReversed())].toReversed();
  expect(newest).toEqual(ids.filter((id) => id !== 'poison'));
});

test('what the disk does not accept is not acked, and logged', () => {
  const { store, log, receive, end, acked } = turn();
  receive('websocket', 'a');
  store.keepPlaceBy(() => false);
  end();
  store.keepPlaceBy(() => true);
  expect(acked()).toEqual([]);
  expect(log.lines.join('\n')).toContain('none of it was acked');
});
