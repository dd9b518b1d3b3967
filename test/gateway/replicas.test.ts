import { Client } from 'pg';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { holderOf } from '../../src/gateway/ledger/connections.js';
import { channelOf } from '../../src/gateway/replicas/WakeUps.js';
import { AGENT_ID, ack, incoming } from '../kit/backend/PlainAgent.js';
import { until } from '../support/until.js';
import { GatewayWorld } from './GatewayWorld.js';
import { type GatewayEngine, gatewayEngines } from './gatewayEngines.js';

const postgres = gatewayEngines().filter(({ name }) => name === 'PostgreSQL');

async function replicas(engine: GatewayEngine): Promise<[GatewayWorld, GatewayWorld]> {
  const one = await GatewayWorld.start(engine);
  return [one, await GatewayWorld.open(one.settings)];
}

describe.each(postgres)('two gateways on one $name', (engine) => {
  test('close a socket with 4409 when its agent connects to the other one, and offer the new one everything', async () => {
    const [one, two] = await replicas(engine);
    const old = await one.connect();
    await one.command('c1');
    await old.next('command');
    const fresh = await two.connect();
    expect((await old.closed).code).toBe(4409);
    await fresh.next('command');
    expect(fresh.commandIds()).toEqual(['c1']);
    await one.command('c2');
    await fresh.next('command', 2);
    fresh.send(ack('c1'));
    await fresh.barrier();
    expect(await one.waiting()).toEqual(['c2']);
  });

  test('push a command to the socket that the other holds without asking the database for it', async () => {
    const [one, two] = await replicas(engine);
    const socket = await two.connect();
    await one.command('c0');
    await socket.next('command');
    await socket.barrier();
    const asked = vi.spyOn(Client.prototype, 'query');
    onTestFinished(() => asked.mockRestore());
    await one.command('c1');
    await socket.next('command', 2);
    const statements = asked.mock.calls.map(([query]) => JSON.stringify(query));
    const notified = statements.filter((text) => text.includes('pg_notify'));
    expect(notified.filter((text) => text.includes(AGENT_ID))).toHaveLength(1);
    // Every user of the database may listen.
    expect(notified.filter((text) => text.includes('c1'))).toEqual([]);
    expect(statements.filter((text) => text.includes('last_position, c.position'))).toEqual([]);
    expect(socket.commandIds()).toEqual(['c0', 'c1']);
  });

  test('send no command that a notification of another user of the database makes up', async () => {
    const [one, two] = await replicas(engine);
    const socket = await two.connect();
    await one.command('c0');
    await socket.next('command');
    await socket.barrier();
    const forged = {
      command_id: 'forged',
      command_type: 'send_message_now',
      payload: { thread_id: '+13105550101', text: 'not from an application' },
      priority: 'normal',
      timestamp: new Date().toISOString(),
    };
    const push = [[AGENT_ID, 2, forged]];
    const sealed = push.map((entry) => JSON.stringify(entry));
    const { database } = one.gateway;
    const holder = await holderOf(database, AGENT_ID);
    await database.notify(
      channelOf(holder?.replicaId ?? ''),
      JSON.stringify({ wake: [AGENT_ID], push, sealed }),
    );
    await one.command('c1');
    await socket.next('command', 2);
    await socket.barrier();
    expect(socket.commandIds()).toEqual(['c0', 'c1']);
  });

  test('push what was stored on one to the socket that the other holds, many at a time and in their order', async () => {
    const [one, two] = await replicas(engine);
    const socket = await two.connect();
    const ids = Array.from({ length: 50 }, (_, nth) => `c${nth}`);
    for (const id of ids) await one.command(id);
    await socket.next('command', ids.length);
    expect(socket.commandIds()).toEqual(ids);
  });

  test('lose no command that is stored while the agent moves from one to the other', async () => {
    const [one, two] = await replicas(engine);
    const ids = Array.from({ length: 40 }, (_, nth) => `c${nth}`);
    let socket = await one.connect();
    const moves = (async () => {
      for (const to of [two, one, two, one, two]) {
        socket.socket.terminate();
        socket = await to.connect();
      }
    })();
    await Promise.all([moves, ...ids.map((id, nth) => (nth % 2 === 0 ? one : two).command(id))]);
    const last = socket;
    await last.next('command', ids.length);
    expect(last.commandIds().toSorted()).toEqual(ids.toSorted());
    expect(new Set(last.commandIds()).size).toBe(last.commandIds().length);
  });

  test('answer a message once, whichever of them gets it and its repeats', async () => {
    const [one, two] = await replicas(engine);
    const posts = [one, two, one, two].map((world) => world.post('/edge/message', incoming('g1')));
    for (const answer of await Promise.all(posts)) expect(answer.body).toEqual({ should_respond: false });
    expect(await one.eventTypes()).toEqual(['message.received']);
  });

  test('report nothing about an agent that moves from one that stops to the other', async () => {
    const [one, two] = await replicas(engine);
    const socket = await one.connect();
    await until(
      async () => (await one.eventTypes()).length === 1,
      () => 'agent.online',
    );
    await one.gateway.stop();
    expect((await socket.closed).code).toBe(1012);
    const fresh = await two.connect();
    await two.command('c1');
    await fresh.next('command');
    expect(await two.eventTypes()).toEqual(['agent.online']);
    expect(await two.waiting(AGENT_ID)).toEqual(['c1']);
  });
});
