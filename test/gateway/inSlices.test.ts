import { expect, test } from 'vitest';
import { inSlices } from '../../src/gateway/inSlices.js';
import { takeEvent } from '../../src/gateway/ledger/agentEvents.js';
import { FakeClock } from '../support/FakeClock.js';
import { gatewayEngines } from './gatewayEngines.js';

const AGENT = 'edge_13105550100';

test.each(gatewayEngines())(
  'a long job on $name is stored as far as it came, so that it finishes at last',
  async (engine) => {
    const database = await engine.open();
    const clock = new FakeClock();
    const events = Array.from({ length: 10 }, (_, nth) => `e${nth}`);
    const took: string[] = [];
    let failing = 'e7';
    const take = () =>
      inSlices({ database, clock }, AGENT, events, async (tx, event) => {
        if (event === failing) throw new Error('the database is away');
        clock.advance(400);
        if (await takeEvent(tx, AGENT, event, 0)) tx.afterCommit(() => took.push(event));
      });
    await expect(take()).rejects.toThrow('the database is away');
    expect(took).toEqual(['e0', 'e1', 'e2', 'e3', 'e4', 'e5']);
    failing = '';
    await take();
    expect(took).toEqual(events);
  },
);
