import { describe, expect, test } from 'vitest';
import { AGENT_ID } from '../kit/backend/PlainAgent.js';
import { until } from '../support/until.js';
import { GatewayWorld } from './GatewayWorld.js';
import { gatewayEngines } from './gatewayEngines.js';

/** A gateway with three waiting texts, the second of which can no longer be read, and an invalid command after them. */
async function withDamage(engine: ReturnType<typeof gatewayEngines>[number]) {
  const world = await GatewayWorld.start(engine);
  const { database } = world.gateway;
  const key = await world.addKey(['messages:write', 'messages:read']);
  const ask = async (method: string, path: string, body?: unknown) => {
    const headers = { Authorization: `Bearer ${key}`, 'Idempotency-Key': `k_${JSON.stringify(body)}` };
    const answer = await fetch(`${world.url}${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return (await answer.json()) as Record<string, unknown>;
  };
  const ids: string[] = [];
  for (const text of ['one', 'two', 'three'])
    ids.push(String((await ask('POST', '/v1/messages', { to: '+13105551234', text })).id));
  await world.command('c1');
  const [first = '', damaged = '', third = ''] = ids;
  const spoil = (id: string) =>
    database.transaction((tx) => tx.query("UPDATE commands SET command = '{' WHERE command_id = $1", [id]));
  await spoil(damaged);
  const standing = async (id: string) => {
    const { status, error, retry_safe, history } = await ask('GET', `/v1/messages/${id}`);
    const steps = history as { evidence: unknown }[];
    return { status, retry_safe, code: (error as { code: string } | null)?.code, by: steps.at(-1)?.evidence };
  };
  return { world, database, first, damaged, third, spoil, standing };
}

const UNKNOWN = { status: 'unknown', retry_safe: false, code: 'item_set_aside', by: { kind: 'damage' } };

describe.each(gatewayEngines())('a command that cannot be read, on $name', (engine) => {
  test('is set aside as unknown at a sync, and those after it are handed out', async () => {
    const { world, first, damaged, third, standing } = await withDamage(engine);
    expect(await world.waiting()).toEqual([first, third, 'c1']);
    expect(await standing(damaged)).toEqual(UNKNOWN);
    expect(await standing(third)).toMatchObject({ status: 'queued' });
    expect(await world.eventTypes()).toEqual(['message.status']);
    const told = world.log.lines.filter((line) => line.includes('could not be read and was set aside'));
    expect(told).toHaveLength(1);
    // It is reported once.
    expect(await world.waiting()).toEqual([first, third, 'c1']);
    expect(await world.eventTypes()).toEqual(['message.status']);
  });

  test('is set aside at a socket, which stays, and those after it are offered', async () => {
    const { world, database, first, damaged, third, spoil, standing } = await withDamage(engine);
    await spoil('c1');
    const socket = await world.connect();
    await world.command('c2');
    const offered = () => socket.frames.filter(({ type }) => type === 'command').map(({ data }) => data);
    await until(
      () => offered().length === 3,
      () => `offered: ${JSON.stringify(offered())}`,
    );
    expect(offered()).toMatchObject([first, third, 'c2'].map((command_id) => ({ command_id })));
    await until(
      async () => (await world.eventTypes()).includes('command.status'),
      () => 'no end was told',
    );
    expect(await standing(damaged)).toEqual(UNKNOWN);
    const [told] = await database.query("SELECT body FROM event_log WHERE type = 'command.status'");
    expect(String(told?.body)).toContain('item_set_aside');
    // A report of an agent that had it before counts.
    const ack = { command_id: damaged, status: 'completed', result: { outcome: 'sent' } };
    await world.post('/edge/command/ack', ack);
    expect(await standing(damaged)).toMatchObject({ status: 'sent', by: { kind: 'ack' } });
  });

  test('is not stored again under its id', async () => {
    const { world, spoil } = await withDamage(engine);
    await spoil('c1');
    await world.command('c1');
    const rows = await world.gateway.database.query('SELECT 1 AS one FROM commands WHERE agent_id = $1', [
      AGENT_ID,
    ]);
    expect(rows).toHaveLength(4);
  });
});
