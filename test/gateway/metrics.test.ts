import { describe, expect, test } from 'vitest';
import { AGENT_ID } from '../kit/backend/PlainAgent.js';
import { until } from '../support/until.js';
import { GatewayWorld } from './GatewayWorld.js';
import { gatewayEngines } from './gatewayEngines.js';

describe.each(gatewayEngines('PostgreSQL'))('the metrics of a gateway on $name', (engine) => {
  test('count sockets, strangers and what waits, and contain no address', async () => {
    const world = await GatewayWorld.start(engine);
    await world.command('cmd_1');
    const { socket } = await world.connect();
    expect((await world.post('/edge/sync', {}, AGENT_ID, 'a-wrong-secret-of-32-characters')).status).toBe(
      403,
    );
    const scraped = async () => (await fetch(`${world.url}/metrics`)).text();
    const text = await scraped();
    expect(text).toMatch(/^edge_gateway_sockets 1$/m);
    expect(text).toMatch(/^edge_gateway_connects_total 1$/m);
    expect(text).toMatch(/^edge_gateway_refusals_total\{code="403"\} 1$/m);
    expect(text).toMatch(/^edge_gateway_commands_waiting 1$/m);
    expect(text).toMatch(/^edge_gateway_database_up 1$/m);
    expect(text).not.toMatch(/3105550100|edge_1|cmd_1/);
    socket.close();
    await until(
      async () => /^edge_gateway_sockets 0$/m.test(await scraped()),
      () => 'a scrape without a socket',
    );
  });
});
