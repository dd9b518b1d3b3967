import { MonitorSecret } from '../../src/monitor/MonitorSecret.js';
import { LINK_MS, makeToken, type TokenUse } from '../../src/monitor/tokens.js';
import { type Browser, DESK, type Tab } from './Browser.js';
import { type Cleanup, EdgeWorld } from './EdgeWorld.js';
import { freePort } from './freePort.js';

/** The real daemon with its page, on a port that it has after a restart too. */
export async function served(browser: Browser, cleanup: Cleanup) {
  const port = await freePort();
  const settings = {
    ...{ 'monitor.enabled': true, 'monitor.port': port },
    // An ack is known to be read with the pong to the next ping.
    'websocket.ping_interval_seconds': 1,
  };
  const world = await EdgeWorld.open(cleanup, { settings });
  const daemon = await world.start();
  const token = (use: TokenUse) =>
    makeToken(MonitorSecret.in(world.state).key(), { use, user: 'ann', ttlMs: LINK_MS, now: Date.now() });
  const origin = `http://127.0.0.1:${port}`;
  const open = async (hash?: string): Promise<Tab> => {
    const tab = await browser.tab(DESK, cleanup);
    await tab.page.goto(`${origin}/${hash ?? `#token=${await token('link')}`}`);
    return tab;
  };
  return { world, daemon, token, origin, open };
}
