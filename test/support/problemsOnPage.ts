import { statusSchema } from '../../src/model/status.js';
import { MonitorSecret } from '../../src/monitor/MonitorSecret.js';
import { makeToken } from '../../src/monitor/tokens.js';
import { WatchingClient } from './WatchingClient.js';

const HOUR_MS = 3_600_000;

/** The codes of the problems that the page of the monitor gets when somebody opens it at that instant (Unix ms). */
export async function problemsOnPage(state: string, port: number, now: number): Promise<string[]> {
  const key = MonitorSecret.in(state).key();
  const token = await makeToken(key, { use: 'session', user: 'ann', ttlMs: HOUR_MS, now });
  const client = await WatchingClient.open(`ws://127.0.0.1:${port}/ws?token=${token}`);
  try {
    await client.heard('auth');
    client.say({ type: 'subscribe', data: { topics: ['problems'] } });
    const { data } = await client.heard('snapshot');
    return statusSchema.parse(data?.status).problems.map(({ code }) => code);
  } finally {
    client.close();
  }
}
