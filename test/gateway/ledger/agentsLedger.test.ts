import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { forgetAgentEvents, takeEvent } from '../../../src/gateway/ledger/agentEvents.js';
import {
  addAgent,
  endOldSecrets,
  findAgent,
  keepStatus,
  listAgents,
  noteRegistration,
  removeAgent,
  rotateSecret,
  secretsOf,
} from '../../../src/gateway/ledger/agents.js';
import {
  acknowledge,
  addCommand,
  commandsAhead,
  countAllCommands,
  countCommands,
  forgetCommands,
  newestWaiting,
  waitingCommands,
} from '../../../src/gateway/ledger/commands.js';
import {
  claimConnection,
  endReplica,
  forgetDeadReplicas,
  holderOf,
  liveReplicas,
  lostAgents,
  recordOffline,
  releaseConnection,
  renewReplica,
} from '../../../src/gateway/ledger/connections.js';
import { forgetInbox, giveAnswer, inboxEntry, takeMessage } from '../../../src/gateway/ledger/inbox.js';
import { SecretBox } from '../../../src/gateway/ledger/SecretBox.js';
import {
  addUpload,
  findUpload,
  forgetUpload,
  uploadedBytes,
  uploadsBefore,
} from '../../../src/gateway/ledger/uploads.js';
import type { GatewayDatabase, Transaction } from '../../../src/gateway/storage/GatewayDatabase.js';
import { gatewayEngines } from '../gatewayEngines.js';

const NOW = 1_800_000_000_000;
const box = new SecretBox(randomBytes(32));
const engines = gatewayEngines();

const add = (database: GatewayDatabase, id: string) =>
  database.transaction((tx) => addAgent(tx, box, { id, name: null, isInvited: false }, NOW));
const send = (tx: Transaction, agentId: string, commandId: string) =>
  addCommand(tx, agentId, { commandId, type: 'list_scheduled', payload: {} }, NOW);

describe.each(engines)('agents in $name', ({ open }) => {
  test('a secret is shown once and stored sealed; of two that are rotated both are valid, of three the newest two', async () => {
    const database = await open();
    const first = await add(database, 'edge_1');
    expect(await add(database, 'edge_1')).toBeUndefined();
    const dump = JSON.stringify(await database.query('SELECT * FROM agent_secrets'));
    expect(dump).not.toContain(first);
    const rotate = (at: number) => database.transaction((tx) => rotateSecret(tx, box, 'edge_1', 60_000, at));
    const second = await rotate(NOW + 1);
    expect(await secretsOf(database, box, 'edge_1', NOW + 2)).toEqual([second, first]);
    expect(await secretsOf(database, box, 'edge_1', NOW + 60_002)).toEqual([second]);
    const third = await rotate(NOW + 3);
    expect(await secretsOf(database, box, 'edge_1', NOW + 4)).toEqual([third, second]);
    await database.transaction((tx) => endOldSecrets(tx, 'edge_1'));
    expect(await secretsOf(database, box, 'edge_1', NOW + 4)).toEqual([third]);
    expect(await secretsOf(database, box, 'edge_2', NOW)).toEqual([]);
  });

  test('a secret moved to another agent in the database does not open', async () => {
    const database = await open();
    await add(database, 'edge_1');
    await database.transaction((tx) => tx.query("UPDATE agent_secrets SET agent_id = 'edge_2'"));
    await expect(secretsOf(database, box, 'edge_2', NOW)).rejects.toMatchObject({ code: 'secret_missing' });
  });

  test('one that is removed no longer has a secret, and continues behind its old commands when it is added again', async () => {
    const database = await open();
    await add(database, 'edge_1');
    await database.transaction((tx) => send(tx, 'edge_1', 'c1'));
    expect(await database.transaction((tx) => removeAgent(tx, 'edge_1', NOW))).toBe(true);
    expect(await secretsOf(database, box, 'edge_1', NOW)).toEqual([]);
    expect(await findAgent(database, 'edge_1')).toBeUndefined();
    await add(database, 'edge_1');
    expect(await database.transaction((tx) => send(tx, 'edge_1', 'c2'))).toMatchObject({ position: 2 });
  });

  test('a status names the problems that are new, and is shown with the agent', async () => {
    const database = await open();
    await add(database, 'edge_1');
    const keep = (codes: readonly string[]) =>
      database.transaction((tx) =>
        keepStatus(tx, 'edge_1', { problems: codes.map((code) => ({ code })) }, NOW + 5),
      );
    expect(await keep(['a'])).toMatchObject({ newCodes: ['a'], hadProblems: false });
    expect(await keep(['a', 'b'])).toMatchObject({ newCodes: ['b'], hadProblems: true });
    expect(await keep([])).toMatchObject({ newCodes: [], hadProblems: true, problems: [] });
    await database.transaction((tx) => noteRegistration(tx, 'edge_1', { version: '1' }, NOW));
    await add(database, 'edge_2');
    expect(await listAgents(database, undefined, 10)).toMatchObject([
      { id: 'edge_1', status: { problems: [] }, statusAt: NOW + 5, registration: { version: '1' } },
      { id: 'edge_2', status: null, registration: null },
    ]);
  });
});

describe.each(engines)('commands in $name', ({ open }) => {
  test('keep the order in which they were added concurrently, without a gap, each agent its own', async () => {
    const database = await open();
    for (const id of ['edge_1', 'edge_2']) await add(database, id);
    const ids = Array.from({ length: 30 }, (_, nth) => `c${nth}`);
    await Promise.all(
      ids.flatMap((id) =>
        ['edge_1', 'edge_2'].map((agent) => database.transaction((tx) => send(tx, agent, id))),
      ),
    );
    const waiting = await waitingCommands(database, 'edge_1', 0, 100);
    expect(waiting.map(({ position }) => position)).toEqual(ids.map((_, nth) => nth + 1));
    expect(waiting.map(({ command }) => command?.command_id ?? '').toSorted()).toEqual(ids.toSorted());
    expect(await commandsAhead(database, 'edge_1', 10, 2)).toEqual({ last: 30, page: waiting.slice(10, 12) });
    expect(await commandsAhead(database, 'edge_2', 30, 2)).toEqual({ last: 30, page: [] });
    expect(await commandsAhead(database, 'edge_9', 0, 2)).toEqual({ last: 0, page: [] });
    expect((await waitingCommands(database, 'edge_1', 10, 2)).map(({ position }) => position)).toEqual([
      11, 12,
    ]);
  });

  test('are added once by their id, and refused for an unknown agent', async () => {
    const database = await open();
    await add(database, 'edge_1');
    await database.transaction((tx) => send(tx, 'edge_1', 'c1'));
    expect(await database.transaction((tx) => send(tx, 'edge_1', 'c1'))).toEqual({
      kind: 'known',
      isSame: true,
    });
    const other = { commandId: 'c1', type: 'list_scheduled', payload: { limit: 2 } };
    const known = await database.transaction((tx) => addCommand(tx, 'edge_1', other, NOW));
    expect(known).toEqual({ kind: 'known', isSame: false });
    expect(await database.transaction((tx) => send(tx, 'edge_9', 'c1'))).toEqual({ kind: 'unknown_agent' });
  });

  test('keep the ack with the highest revision, of their own agent alone', async () => {
    const database = await open();
    for (const id of ['edge_1', 'edge_2']) {
      await add(database, id);
      await database.transaction((tx) => send(tx, id, 'c1'));
    }
    const take = (agentId: string, id: string, revision: number) =>
      database.transaction(async (tx) => {
        await tx.lock(agentId);
        return acknowledge(tx, agentId, { command_id: id, revision }, NOW);
      });
    expect(await take('edge_1', 'c1', 2)).toBe(true);
    expect(await take('edge_1', 'c1', 1)).toBe(false);
    expect(await take('edge_1', 'c1', 3)).toBe(true);
    expect(await take('edge_1', 'c9', 1)).toBe(false);
    expect(await countCommands(database, ['edge_1', 'edge_2'])).toEqual(
      new Map([
        ['edge_1', { pending: 0, acked: 1 }],
        ['edge_2', { pending: 1, acked: 0 }],
      ]),
    );
    // More sockets than a statement may have parameters.
    const many = ['edge_1', ...Array.from({ length: 70_000 }, (_, n) => `edge_x${n}`), 'edge_2'];
    expect([...(await countCommands(database, many)).keys()]).toEqual(['edge_1', 'edge_2']);
    expect(await newestWaiting(database, ['edge_1', 'edge_2'])).toEqual([{ agentId: 'edge_2', position: 1 }]);
    await database.transaction((tx) => forgetCommands(tx, NOW + 1));
    expect(await countAllCommands(database)).toEqual({ pending: 1, acked: 1 });
    expect(await countAllCommands(await open())).toEqual({ pending: 0, acked: 0 });
  });
});

describe.each(engines)('what agents send, in $name', ({ open }) => {
  test('a message is answered once, and what comes later is reported as late', async () => {
    const database = await open();
    const take = () =>
      database.transaction((tx) =>
        takeMessage(
          tx,
          'edge_1',
          'g',
          { conversation: '+1', body: { filtered_text: 'x' }, patienceMs: 60_000 },
          NOW,
        ),
      );
    expect([await take(), await take()]).toEqual([true, false]);
    const waiting = await inboxEntry(database, 'edge_1', 'g');
    expect(waiting).toMatchObject({ kind: 'waiting' });
    expect(waiting?.kind === 'waiting' && waiting.leftMs).toBeGreaterThan(30_000);
    const reply = { should_respond: true as const, reply_bubbles: ['hi'] };
    const give = (agentId: string, words: string) =>
      database.transaction((tx) => giveAnswer(tx, agentId, 'g', { ...reply, reply_bubbles: [words] }, NOW));
    expect(await give('edge_1', 'hi')).toEqual({ kind: 'given', conversation: '+1' });
    expect([await give('edge_1', 'no'), await give('edge_2', 'hi')]).toEqual([
      { kind: 'late' },
      { kind: 'unknown' },
    ]);
    expect(await inboxEntry(database, 'edge_1', 'g')).toEqual({ kind: 'answered', reply });
    expect(await inboxEntry(database, 'edge_2', 'g')).toBeUndefined();
  });

  test('a message that is answered after its time is answered with silence, whether or not any request waited for it', async () => {
    const database = await open();
    const message = { conversation: '+1', body: { filtered_text: 'x' }, patienceMs: 0 };
    await database.transaction((tx) => takeMessage(tx, 'edge_1', 'g', message, NOW));
    const reply = { should_respond: true as const, reply_bubbles: ['hi'] };
    const given = await database.transaction((tx) => giveAnswer(tx, 'edge_1', 'g', reply, NOW));
    expect(given).toEqual({ kind: 'late' });
    const silence = { kind: 'answered', reply: { should_respond: false } };
    expect(await inboxEntry(database, 'edge_1', 'g')).toEqual(silence);
  });

  test('an event counts once, a file stays as it first arrived', async () => {
    const database = await open();
    const event = (agentId: string) => database.transaction((tx) => takeEvent(tx, agentId, 'evt_1', NOW));
    expect([await event('edge_1'), await event('edge_1'), await event('edge_2')]).toEqual([
      true,
      false,
      true,
    ]);
    const file = {
      agentId: 'edge_1',
      guid: 'at_0',
      messageGuid: 'g',
      name: 'a.jpeg',
      type: 'image/jpeg',
      bytes: 5,
      file: 'aa/bb',
      at: NOW,
    };
    const keep = (name: string) => database.transaction((tx) => addUpload(tx, { ...file, name }));
    expect([await keep('a.jpeg'), await keep('b.jpeg')]).toEqual([true, false]);
    expect(await findUpload(database, 'edge_1', 'at_0')).toEqual(file);
    expect(await findUpload(database, 'edge_2', 'at_0')).toBeUndefined();
    expect(await uploadedBytes(database)).toBe(5);
  });
});

test.each(engines)('what is deleted in $name after its time is older than that time', async ({ open }) => {
  const database = await open();
  const message = { conversation: '+1', body: {}, patienceMs: 0 };
  for (const at of [NOW, NOW + 10]) {
    const file = { messageGuid: null, name: 'a', type: 'image/jpeg', bytes: 5, file: 'aa/bb' };
    await database.transaction(async (tx) => {
      await takeMessage(tx, 'edge_1', `g${at}`, message, at);
      await takeEvent(tx, 'edge_1', `e${at}`, at);
      await addUpload(tx, { agentId: 'edge_1', guid: `f${at}`, ...file, at });
    });
  }
  const old = await uploadsBefore(database, NOW + 10, undefined, 10);
  expect(old.map(({ guid }) => guid)).toEqual([`f${NOW}`]);
  await database.transaction(async (tx) => {
    await forgetInbox(tx, NOW + 10);
    await forgetAgentEvents(tx, NOW + 10);
    for (const { agentId, guid } of old) await forgetUpload(tx, agentId, guid);
  });
  for (const [at, isThere] of [
    [NOW, false],
    [NOW + 10, true],
  ] as const) {
    expect((await inboxEntry(database, 'edge_1', `g${at}`)) !== undefined).toBe(isThere);
    expect((await findUpload(database, 'edge_1', `f${at}`)) !== undefined).toBe(isThere);
    expect(await database.transaction((tx) => takeEvent(tx, 'edge_1', `e${at}`, NOW))).toBe(!isThere);
  }
});

describe.each(engines)('sockets in $name', ({ open }) => {
  const LEASE = 60_000;
  const claim = (database: GatewayDatabase, replica: string) =>
    database.transaction(async (tx) => {
      await tx.lock('edge_1');
      return claimConnection(tx, 'edge_1', replica, NOW);
    });
  const renew = (database: GatewayDatabase, replica: string, ms = LEASE) =>
    database.transaction((tx) => renewReplica(tx, replica, ms, NOW));
  const release = (database: GatewayDatabase, epoch: number) =>
    database.transaction((tx) => releaseConnection(tx, 'edge_1', epoch, 'closed'));

  test('belong to the last claim, and the late end of an earlier one takes nothing away', async () => {
    const database = await open();
    await add(database, 'edge_1');
    for (const replica of ['r1', 'r2']) await renew(database, replica);
    const first = await claim(database, 'r1');
    expect(first).toEqual({ epoch: 1, former: undefined, wasOnline: false });
    const second = await claim(database, 'r2');
    expect(second).toEqual({ epoch: 2, former: 'r1', wasOnline: true });
    await release(database, 1);
    expect(await holderOf(database, 'edge_1')).toMatchObject({ replicaId: 'r2', epoch: 2 });
    await release(database, 2);
    expect(await holderOf(database, 'edge_1')).toBeUndefined();
    expect(await claim(database, 'r1')).toEqual({ epoch: 3, former: undefined, wasOnline: true });
  });

  test('do not exist for an agent that was removed, or never added, and its epochs continue once it is added again', async () => {
    const database = await open();
    expect(await claim(database, 'r1')).toBeUndefined();
    await add(database, 'edge_1');
    await claim(database, 'r1');
    await database.transaction((tx) => removeAgent(tx, 'edge_1', NOW));
    expect(await claim(database, 'r1')).toBeUndefined();
    expect(await database.query('SELECT epoch FROM connections')).toEqual([{ epoch: 1 }]);
    await add(database, 'edge_1');
    expect(await claim(database, 'r1')).toMatchObject({ epoch: 2 });
  });

  test('of a replica whose lease ended do not count, and end with it', async () => {
    const database = await open();
    await add(database, 'edge_1');
    await renew(database, 'r1', -1);
    await renew(database, 'r2');
    await claim(database, 'r1');
    expect(await holderOf(database, 'edge_1')).toBeUndefined();
    expect(await liveReplicas(database)).toEqual(['r2']);
    expect(await lostAgents(database, 0, 10)).toEqual([]);
    await database.transaction((tx) => forgetDeadReplicas(tx, 0));
    const [lost] = await lostAgents(database, 0, 10);
    expect(lost).toMatchObject({ agentId: 'edge_1', epoch: 1, reason: 'its gateway died' });
    const tell = () => database.transaction((tx) => recordOffline(tx, 'edge_1', 1));
    expect([await tell(), await tell()]).toEqual([true, false]);
    expect(await lostAgents(database, 0, 10)).toEqual([]);
    expect(await claim(database, 'r2')).toMatchObject({ epoch: 2, wasOnline: false });
    await database.transaction((tx) => endReplica(tx, 'r2', 'stopped'));
    expect(await lostAgents(database, 0, 10)).toMatchObject([{ agentId: 'edge_1' }]);
    expect(await lostAgents(database, 60_000, 10)).toEqual([]);
  });
});
