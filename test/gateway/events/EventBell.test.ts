import { describe, expect, onTestFinished, test } from 'vitest';
import { EventBell } from '../../../src/gateway/events/EventBell.js';
import type { GatewayDatabase } from '../../../src/gateway/storage/GatewayDatabase.js';
import { systemClock } from '../../../src/system/clock.js';
import { PERSON } from '../../support/EdgeWorld.js';
import { RecordingLog } from '../../support/RecordingLog.js';
import { until } from '../../support/until.js';
import { gatewayEngines } from '../gatewayEngines.js';
import { Receiver } from '../webhooks/Receiver.js';
import { WebhookRoom } from '../webhooks/WebhookRoom.js';

/** The notifications of an EventBell from now on. */
function heardOf(bell: EventBell): boolean[] {
  const heard: boolean[] = [];
  onTestFinished(bell.listen((isForWebhooks) => heard.push(isForWebhooks)));
  return heard;
}

async function bellOn(database: GatewayDatabase): Promise<EventBell> {
  const bell = new EventBell(database, systemClock, new RecordingLog());
  await bell.start();
  onTestFinished(() => bell.stop());
  return bell;
}

describe.each(gatewayEngines())('the event notifications on $name', ({ open }) => {
  test('make webhooks be checked only where an event gives one of them something new to do', async () => {
    const gateway = new WebhookRoom(await open());
    const { url } = await Receiver.start();
    const heard = heardOf(gateway.bell);
    const rungFor = async (conversation: string) => {
      const before = heard.length;
      await gateway.happen(conversation);
      await until(
        () => heard.length > before,
        () => 'the ring',
      );
      return heard.slice(before);
    };
    await gateway.webhook(url, ['agent.online']);
    expect(await rungFor(PERSON)).toEqual([false]);
    await gateway.webhook(url, ['agent.event']);
    expect(await rungFor(PERSON)).toEqual([true]);
    // The replica that delivers the one before it continues with this one.
    expect(await rungFor(PERSON)).toEqual([false]);
    expect(await rungFor('another')).toEqual([true]);
  });

  test('tell other replicas the same, and for several events at once if one of them is for webhooks', async () => {
    const database = await open();
    const here = await bellOn(database);
    const there = heardOf(await bellOn(database));
    const toldThere = async (...rings: boolean[]) => {
      const before = there.length;
      for (const isForWebhooks of rings) here.ring(isForWebhooks);
      await until(
        () => there.length > before,
        () => 'the notification',
      );
      return there.slice(before);
    };
    expect(await toldThere(false, false)).toEqual([false]);
    expect(await toldThere(false, true, false)).toEqual([true]);
    expect(await toldThere(false)).toEqual([false]);
  });
});
