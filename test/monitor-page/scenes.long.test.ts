import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { BrowserContextOptions, Page, Route } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Browser, browserPath, DESK, loaded, PHONE } from '../support/Browser.js';
import { MonitorStage, TOKEN } from '../support/MonitorStage.js';
import { FRESH, greeting, NOTHING_YET, PAST, TROUBLED } from '../support/monitorScene.js';

/** SCREENSHOTS=1 renews those of the documents. */
const PICTURES =
  process.env.SCREENSHOTS === undefined
    ? undefined
    : fileURLToPath(new URL('../../docs/screenshots/', import.meta.url));

const LOOKS: Readonly<Record<string, BrowserContextOptions>> = {
  light: DESK,
  dark: { ...DESK, colorScheme: 'dark' },
  phone: PHONE,
};
const VIEWS = ['overview', 'conversations', 'commands', 'schedule', 'queues', 'log', 'doctor', 'settings'];
/** What the documents show. */
const SHOWN: Readonly<Record<string, readonly string[]>> = {
  light: ['overview', 'commands'],
  dark: ['overview', 'conversations'],
  phone: ['overview', 'conversations'],
};

const path = browserPath();
let browser: Browser;

beforeAll(async () => {
  if (path !== undefined) browser = await Browser.open(path);
});
afterAll(() => browser?.close());

async function go(page: Page, view: string): Promise<void> {
  await page.evaluate(`location.hash = '#/${view}'`);
  await loaded(page);
}

describe.skipIf(path === undefined)('the page in every state', () => {
  for (const [look, options] of Object.entries(LOOKS)) {
    test(`every view is without barriers: ${look}`, async ({ onTestFinished }) => {
      const stage = await MonitorStage.open({ plays: PAST, greeting: greeting(TROUBLED) });
      onTestFinished(() => stage.close());
      const { page, faults, barriers } = await browser.tab(options);
      await page.goto(`http://127.0.0.1:${stage.port}/`);
      expect(await barriers()).toEqual([]);
      await page.goto(`http://127.0.0.1:${stage.port}/#token=${TOKEN}`);
      await page.getByText('Real-time').first().waitFor();
      for (const view of VIEWS) {
        await go(page, view);
        if (view === 'commands')
          await page
            .getByRole('link', { name: /cancel scheduled/ })
            .first()
            .click();
        if (view === 'conversations') {
          await page.getByRole('switch').click();
          await page.getByRole('link', { name: /1234/ }).click();
          await page.getByText('found one at $429').waitFor();
        }
        expect({ view, found: await barriers() }).toEqual({ view, found: [] });
        expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
        if (SHOWN[look]?.includes(view)) await picture(page, view, look);
        if (view === 'conversations') await page.getByRole('switch').click();
      }
      expect(faults).toEqual([]);
    });
  }

  test('an agent without a history says in every view that there is nothing, and what will be there', async ({
    onTestFinished,
  }) => {
    const stage = await MonitorStage.open({ plays: NOTHING_YET, greeting: greeting(FRESH) });
    onTestFinished(() => stage.close());
    const { page, faults, barriers } = await browser.tab();
    await page.goto(`http://127.0.0.1:${stage.port}/#token=${TOKEN}`);
    for (const [view, words] of Object.entries({
      overview: 'Nothing was sent in the last 24 hours.',
      conversations: 'No conversation yet.',
      commands: 'No command yet.',
      schedule: 'Nothing is scheduled.',
      queues: 'Nothing is set aside.',
      log: 'No matching lines.',
      doctor: 'No results yet.',
    })) {
      await go(page, view);
      await page.getByText(words).first().waitFor();
      expect({ view, found: await barriers() }).toEqual({ view, found: [] });
    }
    expect(faults).toEqual([]);
  });

  test('an error of the agent is shown where it matters, and disappears once the request is repeated', async ({
    onTestFinished,
  }) => {
    const plays = {
      ...PAST,
      'queue.list': () => {
        throw new Error('The disk is full');
      },
    };
    const stage = await MonitorStage.open({ plays, greeting: greeting(TROUBLED) });
    onTestFinished(() => stage.close());
    const { page, barriers } = await browser.tab();
    await page.goto(`http://127.0.0.1:${stage.port}/#token=${TOKEN}`);
    await go(page, 'queues');
    await page.getByRole('alert').filter({ hasText: 'The disk is full' }).waitFor();
    expect(await barriers()).toEqual([]);
    stage.plays['queue.list'] = () => [];
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText('Nothing is set aside.').waitFor();
  });

  test('a lost connection is shown, and the page stays usable for reading', async ({ onTestFinished }) => {
    const stage = await MonitorStage.open({ plays: PAST, greeting: greeting(TROUBLED) });
    onTestFinished(() => stage.close());
    const { page, barriers } = await browser.tab();
    await page.goto(`http://127.0.0.1:${stage.port}/#token=${TOKEN}`);
    await page.getByText('polling', { exact: false }).first().waitFor();
    stage.speaks = false;
    stage.drop(1001);
    await page.getByRole('status').filter({ hasText: 'The agent stops' }).waitFor();
    expect(await barriers()).toEqual([]);
    await page.getByRole('heading', { name: 'Sends per hour' }).waitFor();
    await picture(page, 'disconnected', 'light');
    stage.speaks = true;
    stage.drop();
    await page.getByRole('status').filter({ hasText: 'Disconnected.' }).waitFor({ state: 'detached' });
  });

  test('what is hidden while the connection is lost is hidden at once, and a view that was never seen says why', async ({
    onTestFinished,
  }) => {
    const stage = await MonitorStage.open({ plays: PAST, greeting: greeting(TROUBLED) });
    onTestFinished(() => stage.close());
    const { page } = await browser.tab();
    await page.goto(`http://127.0.0.1:${stage.port}/#token=${TOKEN}`);
    await go(page, 'conversations');
    const shown = page.getByRole('switch', { name: 'Show texts' });
    await shown.click();
    await page.getByRole('link', { name: /1234/ }).click();
    await page.getByText('found one at $429').waitFor();
    stage.speaks = false;
    stage.drop(1001);
    await page.getByRole('status').filter({ hasText: 'Disconnected.' }).waitFor();
    await shown.click();
    await page.getByText('found one at $429').first().waitFor({ state: 'detached' });
    expect(await page.getByRole('main').textContent()).not.toMatch(/\$429|3105551234/);
    await page.evaluate(`location.hash = '#/queues'`);
    await page.getByText('Not known yet.').first().waitFor();
    expect(await page.getByText('Loading', { exact: true }).count()).toBe(0);
  });

  test('while a session is requested that is shown, and a refused token may be typed again at once', async ({
    onTestFinished,
  }) => {
    const stage = await MonitorStage.open({ plays: PAST, greeting: greeting(TROUBLED) });
    onTestFinished(() => stage.close());
    const { page } = await browser.tab();
    const held: Route[] = [];
    await page.route('**/session', (route) => held.push(route));
    await page.goto(`http://127.0.0.1:${stage.port}/#token=stale`);
    await page.getByRole('status').filter({ hasText: 'Opening' }).waitFor();
    await held[0]?.continue();
    await page.getByRole('heading', { name: 'The token was refused' }).waitFor();
    const field = page.getByLabel('Token');
    await field.fill('not.a.token');
    await page.keyboard.press('Enter');
    await page.getByText('The token is not valid').waitFor();
    expect(await field.evaluate((input) => input === input.ownerDocument.activeElement)).toBe(true);
  });

  test('notifications are shown for a moment, and kept in a list', async ({ onTestFinished }) => {
    const stage = await MonitorStage.open({ plays: PAST, greeting: greeting(TROUBLED) });
    onTestFinished(() => stage.close());
    const { page } = await browser.tab();
    await page.goto(`http://127.0.0.1:${stage.port}/#token=${TOKEN}`);
    const list = page.getByRole('region', { name: 'Notifications', exact: true });
    await list.getByText('Resolved: The backend cannot be reached.').waitFor();
    const told = { level: 'error', message: 'The store cannot be written' };
    stage.plays['notifications.list'] = () => [{ at: new Date().toISOString(), ...told }];
    stage.say('notification', told);
    await page.getByRole('button', { name: 'Dismiss' }).click();
    await list.getByText('The store cannot be written').waitFor();
  });

  test('a message that was set aside is dropped only after a confirmation', async ({ onTestFinished }) => {
    const stage = await MonitorStage.open({ plays: PAST, greeting: greeting(TROUBLED) });
    onTestFinished(() => stage.close());
    const { page, barriers } = await browser.tab();
    await page.goto(`http://127.0.0.1:${stage.port}/#token=${TOKEN}`);
    await go(page, 'queues');
    const asked = () => stage.said.filter(({ data }) => JSON.stringify(data ?? '').includes('queue.drop'));
    await page.getByRole('button', { name: /^Drop: .*1231/ }).click();
    const dialog = page.getByRole('dialog', { name: 'Give this message up?' });
    expect(await barriers()).toEqual([]);
    await dialog.getByRole('button', { name: 'Keep it' }).click();
    expect(asked()).toEqual([]);
    await page.getByRole('button', { name: /^Drop: .*1231/ }).click();
    await dialog.getByRole('button', { name: 'Drop' }).click();
    await page.getByText('1 message given up.').waitFor();
    expect(asked()).toHaveLength(1);
  });
});

async function picture(page: Page, view: string, look: string): Promise<void> {
  if (PICTURES === undefined) return;
  mkdirSync(PICTURES, { recursive: true });
  await page.evaluate('document.fonts.ready');
  await page.screenshot({ path: `${PICTURES}${view}-${look}.png`, animations: 'disabled' });
}
