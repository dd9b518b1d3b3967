import { expect, test, vi } from 'vitest';
import { FakeClock } from '../../support/FakeClock.js';
import { until } from '../../support/until.js';
import { gatewayEngines } from '../gatewayEngines.js';
import { Receiver } from './Receiver.js';
import { WebhookRoom } from './WebhookRoom.js';

const sqlite = gatewayEngines('SQLite').filter(({ name }) => name === 'SQLite');

test.each(sqlite)(
  'a dispatcher on $name that has nothing to do asks seldom, and makes a retry when it is due',
  async ({ open }) => {
    const gateway = new WebhookRoom(await open());
    const receiver = await Receiver.start();
    const clock = new FakeClock(Date.now() + 60_000);
    const { id } = await gateway.webhook(receiver.url);
    await gateway.start({ clock });
    const asked = vi.spyOn(gateway.database, 'query');
    for (let second = 0; second < 60; second += 1) {
      clock.advance(1_000);
      // SQLite answers at once: nothing else is waited for than the turn of the event loop.
      await new Promise((resolve) => setImmediate(resolve));
    }
    // Six looks of two questions each.
    expect(asked.mock.calls.length).toBeLessThanOrEqual(14);
    asked.mockRestore();
    receiver.answer = (response) => response.writeHead(500).end();
    await gateway.happen();
    await gateway.settled(id, (all) => all.some(({ attempts }) => attempts === 1));
    await until(
      async () => {
        clock.advance(1_000);
        return receiver.received.length === 2;
      },
      () => 'the retry',
    );
  },
);
