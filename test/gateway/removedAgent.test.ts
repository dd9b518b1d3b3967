import { describe, expect, test } from 'vitest';
import { endOrdersOfRemoved } from '../../src/gateway/endOrdersOfRemoved.js';
import { removeAgent } from '../../src/gateway/ledger/agents.js';
import { waitingCommands } from '../../src/gateway/ledger/commands.js';
import { AGENT_ID, SECRET } from '../kit/backend/PlainAgent.js';
import { GatewayWorld } from './GatewayWorld.js';
import { gatewayEngines } from './gatewayEngines.js';

const LATER = '2099-01-01T00:00:00Z';

/** A gateway whose agent has texts that are not over: three wait, one of them is scheduled with the agent. */
async function withTexts(engine: ReturnType<typeof gatewayEngines>[number], isReached: boolean) {
  const world = await GatewayWorld.start(engine);
  const key = await world.addKey(['messages:write', 'messages:read', 'events:read']);
  const ask = async (method: string, path: string, body?: unknown) => {
    const headers = { Authorization: `Bearer ${key}` };
    const answer = await fetch(`${world.url}${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return (await answer.json()) as Record<string, unknown>;
  };
  const send = async (more: Record<string, unknown> = {}) =>
    String((await ask('POST', '/v1/messages', { to: '+13105551234', text: 'hello', ...more })).id);
  const scheduled = await send({ send_at: LATER });
  const queued = [await send(), await send()];
  await world.command('c1');
  if (isReached) {
    const ack = { command_id: scheduled, status: 'completed', result: {} };
    await world.post('/edge/command/ack', ack);
  }
  const standing = async (id: string) => {
    const { status, error, retry_safe, history } = await ask('GET', `/v1/messages/${id}`);
    const code = (error as { code: string } | null)?.code;
    return { status, code, retry_safe, evidence: (history as { evidence: unknown }[]).at(-1)?.evidence };
  };
  return { world, scheduled, queued, standing };
}

/** The state of a text that ended with its agent: `failed` if it was provably never sent. */
function removed(status: 'unknown' | 'failed') {
  const retrySafe = status === 'failed';
  return { status, code: 'agent_removed', retry_safe: retrySafe, evidence: { kind: 'removal' } };
}

describe.each(gatewayEngines('PostgreSQL'))('the texts of an agent that is removed, on $name', (engine) => {
  test('end, applications are notified, and none is offered to an agent that is added again', async () => {
    const { world, scheduled, queued, standing } = await withTexts(engine, true);
    await world.admin['agents.remove']({ id: AGENT_ID });
    for (const id of [scheduled, ...queued]) expect(await standing(id)).toEqual(removed('unknown'));
    expect(await world.eventTypes()).toEqual([
      'message.status',
      'message.status',
      'message.status',
      'command.status',
      'message.status',
    ]);
    await world.addAgent(AGENT_ID, SECRET);
    expect(await world.waiting()).toEqual([]);
    // A later report of the agent about a text counts.
    const [first = ''] = queued;
    await world.post('/edge/command/ack', {
      command_id: first,
      status: 'completed',
      result: { outcome: 'sent' },
    });
    expect(await standing(first)).toMatchObject({ status: 'sent', evidence: { kind: 'ack' } });
  });

  test('were never sent where the agent was never connected: the application may send them elsewhere', async () => {
    const { world, scheduled, queued, standing } = await withTexts(engine, false);
    await world.admin['agents.remove']({ id: AGENT_ID });
    for (const id of [scheduled, ...queued]) expect(await standing(id)).toEqual(removed('failed'));
  });

  test('end also where one part of an accepted text was delivered', async () => {
    const { world, queued, standing } = await withTexts(engine, true);
    const [first = ''] = queued;
    const parts = [{ message_guid: 'G1' }, { message_guid: 'G2' }];
    await world.post('/edge/sync', {
      command_acks: [{ command_id: first, status: 'completed', result: { parts } }],
      pending_events: [
        {
          event_id: 'evt_1',
          event_type: 'message_delivered',
          timestamp: new Date().toISOString(),
          details: { command_id: first, message_guid: 'G1' },
        },
      ],
    });
    expect(await standing(first)).toMatchObject({ status: 'accepted' });
    await world.admin['agents.remove']({ id: AGENT_ID });
    expect(await standing(first)).toMatchObject({ status: 'unknown', retry_safe: false });
  });

  test('are not called never sent where they were handed out by a sync alone', async () => {
    const { world, scheduled, queued, standing } = await withTexts(engine, false);
    expect(await world.waiting()).toEqual([scheduled, ...queued, 'c1']);
    await world.admin['agents.remove']({ id: AGENT_ID });
    for (const id of [scheduled, ...queued])
      expect(await standing(id)).toMatchObject({ status: 'unknown', retry_safe: false });
  });

  test('end where text or command cannot be read: what may have been handed over is unknown', async () => {
    const { world, queued, standing } = await withTexts(engine, true);
    const { database } = world.gateway;
    const [first = '', second = ''] = queued;
    const spoil = (sql: string, id: string) => database.transaction((tx) => tx.query(sql, [id]));
    // It was never there; that its text was not handed over is still nowhere to be read.
    await world.addAgent('0_other', SECRET);
    await world.command('c1', '0_other');
    await spoil(
      `INSERT INTO messages (agent_id, message_id, conversation, request, knowledge, status, created_at)
       VALUES ('0_other', $1, '', '', 'not JSON', 'queued', 0)`,
      'c1',
    );
    await spoil(`UPDATE commands SET command = 'not JSON' WHERE command_id = $1`, 'c1');
    for (const id of ['0_other', AGENT_ID])
      await database.transaction((tx) => removeAgent(tx, id, Date.now()));
    await endOrdersOfRemoved(database, Date.now());
    for (const id of [first, second]) expect(await standing(id)).toMatchObject({ status: 'unknown' });
    const left = await database.query('SELECT agent_id FROM removed_agents');
    expect(left).toEqual([]);
    const texts = await database.query("SELECT status FROM messages WHERE agent_id = '0_other'");
    expect(texts).toEqual([{ status: 'unknown' }]);
    expect(await waitingCommands(database, '0_other', 0, 10)).toEqual([]);
    const [told] = await database.query(
      "SELECT body FROM event_log WHERE agent_id = '0_other' AND type = 'message.status'",
    );
    expect(String(told?.body)).toContain('"status":"unknown"');
    const [{ body } = {}] = await database.query("SELECT body FROM event_log WHERE type = 'command.status'");
    expect(String(body)).toContain('"command_type":"unknown"');
  });

  test('end later where the process that removed it died, or as it is added again', async () => {
    const { world, queued, standing } = await withTexts(engine, true);
    const { database } = world.gateway;
    const remove = () => database.transaction((tx) => removeAgent(tx, AGENT_ID, Date.now()));
    await remove();
    const [first = ''] = queued;
    expect(await standing(first)).toMatchObject({ status: 'queued' });
    await world.addAgent(AGENT_ID, SECRET);
    expect([await world.waiting(), await standing(first)]).toMatchObject([[], { status: 'unknown' }]);
    await world.command('c2');
    await remove();
    await endOrdersOfRemoved(database, Date.now());
    await world.addAgent(AGENT_ID, SECRET);
    expect(await world.waiting()).toEqual([]);
    await world.command('c3');
    await endOrdersOfRemoved(database, Date.now());
    expect(await world.waiting()).toEqual(['c3']);
  });
});
