import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BackendTime } from '../../src/backend/BackendTime.js';
import { Acks, Commands } from '../../src/commands/Commands.js';
import { FORGOTTEN_COMMANDS } from '../../src/store/commands.js';
import { Store } from '../../src/store/Store.js';
import { FakeClock } from '../support/FakeClock.js';
import { ledgerGap } from '../support/ledgerGap.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { temporaryDirectory } from '../support/temporaryStore.js';

const FOUND_AT = Date.UTC(2026, 10, 29);
const HOUR_MS = 3_600_000;

/** A store in which commands may be missing that were made until a minute ago, by this Mac's clock. */
function salvaged(clock: FakeClock, note = String(FOUND_AT - 60_000)): Store {
  const path = join(temporaryDirectory(), 'edge-agent.db');
  const options = { clock, log: new RecordingLog() };
  const store = Store.open(path, options);
  store.write(() => store.meta.set(FORGOTTEN_COMMANDS, note));
  store.close();
  return Store.open(path, options);
}

function begin(store: Store, clock: FakeClock, ownTime?: (at: number) => number) {
  const ran: string[] = [];
  const handler = {
    types: ['t'],
    run(command: { commandId: string }) {
      ran.push(command.commandId);
      return { kind: 'completed' } as const;
    },
  };
  return {
    ran,
    commands: new Commands(store, new Acks(store, clock), new RecordingLog(), [handler], ownTime),
  };
}

const made = (commandId: string, timestamp: number | null) => ({
  ...{ commandId, commandType: 't', payload: {}, priority: 'normal' as const, fault: null, timestamp },
});

test('after a salvage a command without a timestamp is doubted until the backend could offer it, however long that is down', () => {
  const clock = new FakeClock(FOUND_AT);
  const store = salvaged(clock);
  const gap = ledgerGap({ reason: 'rebuilt', until: FOUND_AT });
  store.write(() => store.lineage.record({ id: 's', file: '1:1', counter: 7 }, gap));
  const { commands, ran } = begin(store, clock);
  clock.advance(3 * HOUR_MS);
  commands.receive([made('may be an old one', null)], 'websocket');
  store.lineage.noteOffering();
  clock.jumpWall(HOUR_MS);
  clock.advance(60_000);
  commands.receive([made('may be another', null)], 'websocket');
  store.write(() => store.lineage.endOffering(store.sends.newest()));
  clock.advance(60_000);
  commands.receive([made('fresh', null)], 'websocket');
  expect(ran).toEqual(['fresh']);
  store.close();
});

test.each([
  ['is right', 0],
  ['is two hours behind', -2 * HOUR_MS],
  ['is two hours ahead', 2 * HOUR_MS],
])(
  'after a salvage a fresh command is executed and one that may be forgotten is not, with a backend whose clock %s',
  (_, skew) => {
    const clock = new FakeClock(FOUND_AT);
    const store = salvaged(clock);
    const time = new BackendTime(clock);
    const date = new Date(clock.now() + skew).toUTCString();
    for (const answer of [date, date]) time.note({ date: answer });
    const { commands, ran } = begin(store, clock, (at) => clock.now() - time.mostAgeOf(at));
    const madeAt = (agoMs: number) => FOUND_AT + skew - agoMs;
    commands.receive([made('fresh', madeAt(5_000)), made('old', madeAt(120_000))], 'http');
    expect(ran).toEqual(['fresh']);
    store.close();
  },
);

test('a command that may be forgotten is not executed where an earlier version salvaged the store', () => {
  const clock = new FakeClock(FOUND_AT);
  const store = salvaged(clock, `${FOUND_AT - 60_000} ${FOUND_AT}`);
  const { commands, ran } = begin(store, clock);
  commands.receive([made('old', FOUND_AT - 120_000), made('fresh', FOUND_AT - 5_000)], 'http');
  expect(ran).toEqual(['fresh']);
  store.close();
});

test('after a salvage a command that was forgotten while the clock was behind is doubted, though the clock is right since', () => {
  const clock = new FakeClock(FOUND_AT);
  const store = salvaged(clock);
  const gap = ledgerGap({ reason: 'rebuilt', until: FOUND_AT, clock: { behindMs: [90_000], isWhole: true } });
  store.write(() => store.lineage.record({ id: 's', file: '1:1', counter: 7 }, gap));
  const { commands, ran } = begin(store, clock);
  const forgottenAt = FOUND_AT - 60_000 + 90_000;
  commands.receive([made('before', forgottenAt - 1), made('since', forgottenAt + 1_001)], 'http');
  expect(ran).toEqual(['since']);
  store.close();
});

test('after a salvage a fresh command is executed although the clock was hours behind once', () => {
  const clock = new FakeClock(FOUND_AT);
  const store = salvaged(clock);
  const time = new BackendTime(clock);
  store.lineage.useBackendTime(() => time.skew());
  const gap = ledgerGap({
    ...{ reason: 'rebuilt', until: FOUND_AT, clock: { behindMs: [0, 2 * HOUR_MS], isWhole: true } },
  });
  store.write(() => store.lineage.record({ id: 's', file: '1:1', counter: 7 }, gap));
  for (let nth = 0; nth < 2; nth++) time.note({ date: new Date(clock.now()).toUTCString() });
  const { commands, ran } = begin(store, clock, (at) => clock.now() - time.mostAgeOf(at));
  clock.advance(60_000);
  commands.receive([made('old', FOUND_AT - 10_000), made('fresh', clock.now() - 5_000)], 'http');
  expect(ran).toEqual(['fresh']);
  store.close();
});
