import { Client } from 'pg';
import { expect, onTestFinished, test, vi } from 'vitest';
import { ConnectionRegistry } from '../../src/gateway/agents/ConnectionRegistry.js';
import { ApiKeys } from '../../src/gateway/api/ApiKeys.js';
import { inSlices } from '../../src/gateway/inSlices.js';
import { takeAck } from '../../src/gateway/ledger/agentReports.js';
import { commandsAhead } from '../../src/gateway/ledger/commands.js';
import { CommandDispatch } from '../../src/gateway/replicas/CommandDispatch.js';
import { systemClock } from '../../src/system/clock.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { AGENT, ApiRoom } from './api/ApiRoom.js';
import { gatewayEngines } from './gatewayEngines.js';

const [, postgres] = gatewayEngines();

/** How many round trips to PostgreSQL something takes, where each of its statements was prepared before. */
async function roundTrips(work: () => Promise<unknown>): Promise<number> {
  const asked = vi.spyOn(Client.prototype, 'query');
  onTestFinished(() => asked.mockRestore());
  await work();
  const count = asked.mock.calls.length;
  asked.mockRestore();
  return count;
}

test('a message of an application, its delivery to the agent and its ack take a bounded number of round trips to PostgreSQL', async () => {
  if (postgres === undefined) throw new Error('an engine');
  const database = await postgres.open();
  const dispatch = new CommandDispatch({
    database,
    clock: systemClock,
    log: new RecordingLog(),
    registry: new ConnectionRegistry(),
    replicaId: 'one',
    wakeAt: () => undefined,
    ring: () => undefined,
    setOut: () => undefined,
  });
  const room = await ApiRoom.open(database, {
    keys: new ApiKeys(database, systemClock),
    commands: {
      add: async (...order) => (await dispatch.add(...order)).kind !== 'unknown_agent',
      addFresh: (...order) => dispatch.addFresh(...order),
    },
  });
  // Notes that the key is used, and keeps it in mind.
  await room.send();
  await room.send();
  const costs: Record<string, number> = {};
  costs.accepted = await roundTrips(() => room.send());
  costs['accepted with a key for repeats'] = await roundTrips(() =>
    room.send({}, { headers: { 'Idempotency-Key': 'k1' } }),
  );
  costs.repeated = await roundTrips(() => room.send({}, { headers: { 'Idempotency-Key': 'k1' } }));
  const [first] = await room.commands();
  if (first === undefined) throw new Error('a command');
  costs.read = await roundTrips(() => commandsAhead(database, AGENT, 0, 20));
  const ack = {
    command_id: first.command_id,
    status: 'completed',
    revision: 1,
    result: { outcome: 'sent' },
  } as const;
  costs.acked = await roundTrips(() =>
    inSlices({ database, clock: systemClock }, AGENT, [ack], (tx) =>
      takeAck(tx, AGENT, ack, systemClock.now()),
    ),
  );
  expect(costs).toEqual({
    accepted: 1,
    'accepted with a key for repeats': 2,
    repeated: 3,
    read: 1,
    acked: 2,
  });
});
