import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { MonitorSecret } from '../dist/monitor/MonitorSecret.js';
import { MonitorServer } from '../dist/monitor/MonitorServer.js';
import { makeToken } from '../dist/monitor/tokens.js';
import { systemClock } from '../dist/system/clock.js';
import { bounded, median } from './figures.mjs';

const PAGE = fileURLToPath(new URL('../dist/monitor-page', import.meta.url));
const BROWSER = process.env.TEST_BROWSER ?? '/usr/bin/chromium';
const RUNS = 15;
const MOST_MS = 300;
/** As small as a page with something to paint can be. */
const EMPTY = '<!doctype html><html lang="en"><title>empty</title><p>.</p></html>';
const nothing = () => undefined;
const QUIET = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/**
 * From the navigation to the first paint of the page, as the browser itself counts it, each time in a profile without a
 * cache; and of an empty page, in turns. Both come from loopback servers of this process.
 */
export async function run() {
  if (!existsSync(BROWSER)) {
    console.log(`\npaint: SKIPPED, there is no browser at ${BROWSER}; TEST_BROWSER names another one.`);
    return [];
  }
  const directory = mkdtempSync(join(tmpdir(), 'edge-agent-bench-'));
  const secret = MonitorSecret.in(directory);
  const monitor = await startMonitor(secret);
  const empty = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html; charset=utf-8').end(EMPTY);
  });
  await new Promise((resolve) => empty.listen(0, '127.0.0.1', resolve));
  const browser = await chromium.launch({ executablePath: BROWSER, args: ['--no-sandbox'] });
  const samples = { page: [], empty: [] };
  for (let round = -1; round < RUNS; round++) {
    const link = { use: 'link', user: 'bench', ttlMs: 60_000, now: Date.now() };
    const token = await makeToken(secret.key(), link);
    const times = {
      empty: await firstPaint(browser, `http://127.0.0.1:${empty.address().port}/`),
      page: await firstPaint(browser, `http://127.0.0.1:${monitor.port}/#token=${token}`),
    };
    if (round >= 0) for (const name of Object.keys(samples)) samples[name].push(times[name]);
  }
  await browser.close();
  await new Promise((resolve) => empty.close(resolve));
  await monitor.stop();
  rmSync(directory, { recursive: true });
  return [
    bounded({
      what: `navigation → first paint, median of ${RUNS}`,
      measured: median(samples.page),
      reference: { name: 'an empty page', value: median(samples.empty) },
      unit: 'ms',
      most: MOST_MS,
    }),
  ];
}

/** The monitor alone, with its real page; an agent behind it does not take part in the first paint. */
async function startMonitor(secret) {
  const monitor = new MonitorServer({
    ...{ port: 0, secret, pageDirectory: PAGE, verbs: {}, clock: systemClock, log: QUIET },
    agentStatus: () => ({ agentName: 'edge_bench', state: 'idle' }),
    status: () => ({}),
    onWatched: nothing,
  });
  await monitor.start();
  return monitor;
}

/** Ms from the navigation on, until there is something to be seen: `first-contentful-paint` of Paint Timing (W3C). */
async function firstPaint(browser, url) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(url);
  const painted = await page.waitForFunction(
    () => performance.getEntriesByName('first-contentful-paint')[0]?.startTime,
    undefined,
    { polling: 50 },
  );
  const took = await painted.jsonValue();
  await context.close();
  return took;
}
