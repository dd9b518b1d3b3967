import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BackendTime } from '../../src/backend/BackendTime.js';
import { Acks } from '../../src/commands/Acks.js';
import { Commands } from '../../src/commands/Commands.js';
import { FORGOTTEN_COMMANDS } from '../../src/store/commands.js';
import { Store } from '../../src/store/Store.js';
import { FakeClock } from '../support/FakeClock.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { temporaryDirectory } from '../support/temporaryStore.js';

const FOUND_AT = Date.UTC(2026, 10, 29);
const HOUR_MS = 3_600_000;

/** A store in which commands may be missing that were made until a minute ago, by this Mac's clock. */
function salvaged(clock: FakeClock): Store {
  const path = join(temporaryDirectory(), 'edge-agent.db');
  const options = { clock, log: new RecordingLog() };
  const store = Store.open(path, options);
  store.write(() => store.meta.set(FORGOTTEN_COMMANDS, `${FOUND_AT - 60_000} ${FOUND_AT}`));
  store.close();
  return Store.open(path, options);
}

test.each([
  ['is right', 0],
  ['is two hours behind', -2 * HOUR_MS],
  ['is two hours ahead', 2 * HOUR_MS],
])(
  'after a salvage a fresh command is executed and one that may be forgotten is not, by a backend whose clock %s',
  (_, skew) => {
    const clock = new FakeClock(FOUND_AT);
    const store = salvaged(clock);
    const time = new BackendTime(clock);
    const date = new Date(clock.now() + skew).toUTCString();
    for (const answer of [date, date]) time.note({ date: answer });
    const ran: string[] = [];
    const handler = {
      types: ['t'],
      run(command: { commandId: string }) {
        ran.push(command.commandId);
        return { kind: 'completed' } as const;
      },
    };
    const ownTime = (at: number) => clock.now() - time.mostAgeOf(at);
    const commands = new Commands(store, new Acks(store, clock), new RecordingLog(), [handler], ownTime);
    const made = (commandId: string, agoMs: number) => ({
      ...{ commandId, commandType: 't', payload: {}, priority: 'normal' as const, fault: null },
      timestamp: FOUND_AT + skew - agoMs,
    });
    commands.receive([made('fresh', 5_000), made('old', 120_000)], 'http');
    expect(ran).toEqual(['fresh']);
    store.close();
  },
);
