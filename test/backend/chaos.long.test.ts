import { describe, expect, test } from 'vitest';
import { LinkChaos } from '../soak/LinkChaos.js';
import { reconnectOften } from '../soak/reconnects.js';
import { sized } from '../support/size.js';

describe('the connection under constant faults', () => {
  test('executes every command once and delivers every ack and event in ten minutes of faults', async () => {
    const report = await LinkChaos.run(20_261_120, 10);
    expect(report.broken).toEqual([]);
    // It can only mean something if much went wrong.
    expect(Object.keys(report.faults).length).toBeGreaterThan(15);
    expect(report.commands).toBeGreaterThan(100);
    expect(report.dials).toBeGreaterThan(10);
  });

  test('uses no more memory and no more sockets after many reconnects', async () => {
    const report = await reconnectOften(sized(400, 2_000));
    expect(report.mostOpen).toBe(1);
    expect(report.heapGrowth).toBeLessThan(400_000);
  });
});
