import type { AlertsTested } from '../../model/operatorApi.js';
import { freshId } from '../../system/random.js';
import { type ChannelPorts, channelsOf, deliverAlert } from './alertChannels.js';

/** Sends a test alert once to each enabled channel. Ends within 10 s; never rejects. */
export async function testChannels(ports: ChannelPorts, platform: NodeJS.Platform): Promise<AlertsTested> {
  const id = freshId('alert');
  const alert = { id, event: 'test', at: ports.clock.now(), since: null, codes: [], count: 0 } as const;
  const channels = await Promise.all(
    channelsOf(ports.settings, platform).map(async (channel) => ({
      channel,
      ...(await deliverAlert(alert, channel, ports)),
    })),
  );
  return { schema: 1, id, channels };
}
