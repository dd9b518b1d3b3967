import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Browser, browserPath, DESK, loaded, PHONE, type Tab } from '../../support/Browser.js';
import type { Cleanup } from '../../support/EdgeWorld.js';
import { type GatewayDemo, startGatewayDemo } from '../../support/GatewayDemo.js';
import { until } from '../../support/until.js';

const path = browserPath();
let browser: Browser;
/** One for all tests: they run one after the other with it. */
let demo: GatewayDemo;
/** One that has signed in, for the tests that need no more: a tab costs more than all that a test does in it. */
let tab: Tab;

beforeAll(async () => {
  if (path === undefined) return;
  [browser, demo] = await Promise.all([Browser.open(path), startGatewayDemo()]);
  // It is closed with the browser.
  tab = await signedIn(DESK, { onTestFinished: () => undefined });
});
afterAll(async () => {
  await Promise.all([browser?.close(), demo?.end()]);
});

/** The console of a gateway that runs, in a tab that has signed in. */
async function signedIn(options = DESK, cleanup?: Cleanup) {
  const opened = await browser.tab(options, cleanup);
  await opened.page.goto(`${demo.url}/console/`);
  await opened.page.getByLabel('Admin key').fill(demo.key);
  await opened.page.getByRole('button', { name: 'Open', exact: true }).click();
  await opened.page.getByRole('navigation').waitFor();
  return opened;
}

/** The shared tab, at the agents. */
async function shared() {
  await tab.page.getByRole('link', { name: 'Agents', exact: true }).click();
  tab.faults.length = 0;
  return tab;
}

describe.skipIf(path === undefined)('the console of a running gateway', () => {
  test('a message that an application sends shows its history on both machines, hidden until requested', async () => {
    const { page, faults, barriers } = await shared();
    const row = page.getByRole('list', { name: 'Agents' }).getByRole('link');
    await row.filter({ hasText: 'Online' }).waitFor();
    expect(await page.innerText('body')).not.toContain('3105550100');
    expect(await barriers()).toEqual([]);

    await page.getByRole('link', { name: 'Messages' }).click();
    await page.getByText('No message yet.').waitFor();
    execFileSync('sh', ['-c', `${demo.curl} --silent`]);
    // It appears without a reload: the page gets an event.
    await page.getByRole('list', { name: 'Messages' }).getByRole('link').click();
    const steps = page.getByRole('region', { name: 'Steps' }).getByRole('listitem');
    await steps.filter({ hasText: 'Gateway: the application asked for it' }).waitFor();
    await steps.filter({ hasText: 'Mac: ack of the agent' }).waitFor();
    await page.getByText('Hidden, 9 characters').first().waitFor();
    expect(await page.innerText('body')).not.toMatch(/hello Ann|3105551234/);
    expect(await barriers()).toEqual([]);
    await page.getByRole('switch', { name: 'Show texts' }).click();
    await page.getByText('hello Ann').first().waitFor();
    await page.getByText('+13105551234').first().waitFor();
    await page.getByRole('switch', { name: 'Show texts' }).click();
    expect(faults).toEqual([]);
  });

  test('the fleet shows who wrote last, and sends and round trip by the hour, over all agents and of one', async () => {
    const { page, faults, barriers } = await shared();
    execFileSync('sh', ['-c', `${demo.curl} --silent`]);
    const row = page.getByRole('list', { name: 'Agents' }).getByRole('link');
    await row.locator('.last-message time').waitFor();
    const charts = async (sends: RegExp) => {
      await page.getByRole('img', { name: sends }).waitFor();
      // Each row has an hour, and what was sent, is unknown, and failed.
      const cells = await page.getByRole('table', { name: 'Sends per hour' }).getByRole('cell').all();
      const counts = await Promise.all(cells.map((cell) => cell.innerText()));
      const sumOf = (column: number) =>
        counts.reduce((sum, count, index) => sum + (index % 4 === column ? Number(count) : 0), 0);
      expect([sumOf(1), sumOf(2), sumOf(3)]).toEqual([2, 0, 0]);
      const trip = page.getByRole('img', { name: /^Median from request to ack, by the hour: \d/ });
      await trip.waitFor();
      expect(await trip.locator('rect.trip').count()).toBeGreaterThan(0);
      expect(await barriers()).toEqual([]);
    };
    await charts(/^Sends per hour: 2 since/);
    await row.click();
    await page.locator('dt', { hasText: 'Last message' }).waitFor();
    await charts(/^Sends per hour: 2 since/);
    expect(faults).toEqual([]);
  });

  test('a delivery is shown with its result, and sent again', async () => {
    const { page, faults, barriers } = await shared();
    demo.type('is anybody there?');
    await demo.shows('→ Ann: you said: is anybody there?');
    await page.getByRole('link', { name: 'Webhooks' }).click();
    await page.getByRole('list', { name: 'Webhooks' }).getByRole('link').click();
    const deliveries = page.getByRole('region', { name: 'Deliveries', exact: true }).getByRole('listitem');
    const one = deliveries.filter({ hasText: 'its reply was given to the agent' });
    await one.filter({ hasText: '1 attempt,' }).waitFor();
    expect(await barriers()).toEqual([]);
    await one.getByRole('button', { name: /^Send again/ }).click();
    await page.getByRole('region', { name: 'Notices' }).getByText('It will be sent again.').waitFor();
    await one.getByText('delivered', { exact: true }).waitFor();
    expect(demo.lines.filter((line) => line.includes('→ Ann: you said'))).toHaveLength(1);
    await page.getByRole('link', { name: 'Events' }).click();
    await page.getByRole('list', { name: 'Events' }).getByText('message.received').waitFor();
    expect(faults).toEqual([]);
  });

  test('only a key gives access; it stays in the tab, over a reload too, until sign-out', async () => {
    const { page } = await browser.tab();
    await page.goto(`${demo.url}/console/`);
    await page.getByLabel('Admin key').fill('eg_live_none');
    await page.getByRole('button', { name: 'Open', exact: true }).click();
    await page.getByRole('alert').waitFor();
    expect(await page.evaluate('sessionStorage.length')).toBe(0);
    await page.getByLabel('Admin key').fill(demo.key);
    await page.getByRole('button', { name: 'Open', exact: true }).click();
    await page.getByRole('navigation').waitFor();
    await page.reload();
    await page.getByRole('navigation').waitFor();
    const kept = 'JSON.stringify([document.cookie, { ...localStorage }, history.state])';
    expect(await page.evaluate(kept)).toBe('["",{},null]');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Admin key').waitFor();
    expect(await page.evaluate('sessionStorage.length')).toBe(0);
  });

  test('a phone shows every view within its width, and nothing is requested from beyond the gateway', async () => {
    const { page, faults, barriers } = await signedIn(PHONE);
    for (const view of await page.getByRole('navigation').getByRole('link').all()) {
      await view.click();
      await loaded(page);
      const width = await page.evaluate('document.documentElement.scrollWidth');
      expect(width).toBeLessThanOrEqual(390);
      expect(await barriers()).toEqual([]);
    }
    expect(faults).toEqual([]);
  });

  test('a gateway that is down is reported as such, and what was shown stays', async () => {
    const { page } = await shared();
    const row = page.getByRole('list', { name: 'Agents' }).getByRole('link');
    await row.filter({ hasText: 'Online' }).waitFor();
    await demo.end();
    await page.getByRole('status').filter({ hasText: 'Disconnected.' }).waitFor();
    await until(
      async () => (await row.count()) === 1,
      () => 'the agent, still shown',
    );
    await until(
      async () => (await page.title()).startsWith('Disconnected'),
      () => 'the title that says so',
    );
  });
});
