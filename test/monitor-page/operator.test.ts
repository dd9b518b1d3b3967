import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addContacts } from '../support/addressBook.js';
import { Browser, browserPath, loaded, type Tab } from '../support/Browser.js';
import { PERSON } from '../support/EdgeWorld.js';
import { served } from '../support/servedPage.js';
import { until } from '../support/until.js';

const path = browserPath();
let browser: Browser;

beforeAll(async () => {
  if (path !== undefined) browser = await Browser.open(path);
});
afterAll(() => browser?.close());

function go(page: Page, name: string) {
  return page.getByRole('navigation').getByRole('link', { name }).click();
}

describe.skipIf(path === undefined)('what the page shows an operator', () => {
  test('a text that failed and a message that was set aside say why', async (cleanup) => {
    const { world, open } = await served(browser, cleanup);
    world.behave({ kind: 'error', number: -1743, when: 'before' }, { times: 'always' });
    await world.acked(world.command('never sent'));
    world.backend.failHttp(422, Number.POSITIVE_INFINITY, { path: '/edge/message' });
    world.mac.chatDb.receive({ from: PERSON, text: 'too long' });
    const { page, faults } = await open();
    await go(page, 'Conversations');
    const messages = page.getByRole('region', { name: 'Messages' });
    await messages.getByText(/^Not sent: .*(Automation|control)/).waitFor();
    await messages.getByText(/^Set aside: .*422/).waitFor();
    expect(faults).toEqual([]);
  });

  test('"Show texts" shows full numbers in every view, and hides them in every view', async (cleanup) => {
    const { world, open } = await served(browser, cleanup);
    const send_at = new Date(Date.now() + 3_600_000).toISOString();
    const payload = { thread_id: PERSON, message_text: 'happy birthday', send_at };
    const { commandId } = world.backend.pushCommand({ command_type: 'schedule_message', payload });
    await world.acked(commandId);
    const sent = world.command('hello');
    await world.acked(sent);
    world.backend.failHttp(422, Number.POSITIVE_INFINITY, { path: '/edge/message' });
    world.mac.chatDb.receive({ from: PERSON, text: 'too long' });
    await until(
      async () => (await world.cli('queue', 'list')).stdout.includes('422'),
      () => 'the message that is set aside',
    );
    await world.cli('pause', PERSON);
    const { page, faults } = await open();
    const shown = page.getByRole('switch', { name: 'Show texts' });
    const main = page.getByRole('main');
    for (const view of ['Overview', 'Conversations', 'Schedule', 'Queues', 'Log', 'Settings', 'Commands']) {
      await go(page, view);
      if (view === 'Commands') await page.getByRole('link', { name: sent }).click();
      const shows = (what: string, is: (words: string) => boolean) =>
        until(
          async () => is(await main.innerText()),
          () => `${view} to show ${what}`,
        );
      await shows('masked numbers', (words) => words.includes('+1•••'));
      expect(await main.innerText(), view).not.toContain(PERSON);
      await shown.click();
      await shows(
        'whole numbers',
        (words) => /\+13105550100|\+13105551234/.test(words) && !words.includes('+1•••1234'),
      );
      await shown.click();
      await shows('masked numbers again', (words) => words.includes('+1•••'));
    }
    expect(faults).toEqual([]);
  });

  test('people and groups have their names in place of numbers, in every view', async (cleanup) => {
    const { world, open } = await served(browser, cleanup);
    addContacts(world.directory, [{ first: 'Jane', last: 'Quimby', phones: ['(310) 555-1234'] }]);
    world.writeConfig({ 'contacts.enabled': true });
    const family = world.mac.chatDb.groupChat([PERSON, '+13105559876'], { name: 'Quimby family' });
    await world.acked(world.command('hello all', { thread_id: family.identifier }));
    const command = world.command('hello');
    await world.acked(command);
    await until(
      async () => (await world.cli('commands', 'show', command)).stdout.includes('Jane Quimby'),
      () => 'the setting to count',
    );
    await world.cli('pause', PERSON);
    const { page, faults } = await open();
    const paused = page.getByRole('region', { name: 'Paused' });
    await paused.getByText('Jane Quimby').waitFor();
    await go(page, 'Conversations');
    await page.getByRole('link', { name: 'Quimby family' }).waitFor();
    await page.getByRole('link', { name: 'Jane Quimby' }).waitFor();
    await page.getByRole('switch', { name: 'Show texts' }).click();
    await page.getByRole('link', { name: `Jane Quimby (${PERSON})` }).waitFor();
    await page.getByRole('switch', { name: 'Show texts' }).click();
    await go(page, 'Commands');
    await page.getByRole('link', { name: command }).click();
    await page.getByText('Jane Quimby · 5 characters').waitFor();
    await go(page, 'Log');
    await page.getByRole('log').getByText('Jane Quimby').first().waitFor();
    expect(await page.getByRole('log').innerText()).not.toContain('1234');
    expect(faults).toEqual([]);
  });

  test('notifications from before the page was opened are there, after a restart too, and the operator’s own actions appear once', async (cleanup) => {
    const { world, daemon, open } = await served(browser, cleanup);
    world.behave({ kind: 'error', number: -1743, when: 'before' }, { times: 'always' });
    const command = world.command('never sent');
    await world.acked(command);
    const { page } = await open();
    const list = page.getByRole('region', { name: 'Notifications', exact: true });
    await list.getByText(`Command ${command} failed`).waitFor();
    await page.getByRole('button', { name: 'Pause sending' }).click();
    await list.getByText('ann paused sending.').waitFor();
    const notices = page.getByRole('region', { name: 'Notices' });
    await notices.getByText('Sending is paused: texts wait').first().waitFor();
    expect(await notices.textContent()).not.toContain('ann');
    await daemon.kill('SIGTERM');
    await world.start();
    await page.reload();
    await list.getByText(`Command ${command} failed`).waitFor();
    await list.getByText('ann paused sending.').waitFor();
  });
});

describe.skipIf(path === undefined)('what the page shows of a new agent', () => {
  const cleanups: (() => void | Promise<void>)[] = [];
  /** One agent and one tab for these: they run one after the other with it. */
  let agent: Awaited<ReturnType<typeof served>>;
  let tab: Tab;
  beforeAll(async () => {
    agent = await served(browser, { onTestFinished: (clean) => void cleanups.push(clean) });
    tab = await agent.open();
  });
  afterAll(async () => {
    for (const clean of cleanups.splice(0).toReversed()) await clean();
  });

  test('a young agent does not show an empty day, and its counts agree', async () => {
    const { world } = agent;
    world.mac.chatDb.receive({ from: PERSON, text: 'hello' });
    await world.sent(2);
    const { page, faults } = tab;
    await page.getByRole('img', { name: /^The last (1 min|\d+ s): Real-time/ }).waitFor();
    const sends = page.getByRole('region', { name: 'Sends per hour' });
    await sends.getByText('2', { exact: true }).first().waitFor();
    // More than one only where an hour has begun since.
    expect(await sends.locator('svg g').count()).toBeLessThanOrEqual(2);
    const took = page.getByRole('region', { name: 'Time to send' }).getByRole('cell');
    const cells = await took.allInnerTexts();
    const counts = cells.filter((_, index) => index % 2 === 1).map(Number);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(2);
    const received = page.getByRole('region', { name: 'Messages in per hour' });
    await received.getByText('1', { exact: true }).first().waitFor();
    expect(faults).toEqual([]);
  });

  test('"Look again" runs the doctor, and its report appears without a reload', async () => {
    const { page, faults } = tab;
    await go(page, 'Doctor');
    await page.getByText('No results yet.').waitFor();
    await page.getByRole('button', { name: 'Look now' }).click();
    await page.getByText('the configuration', { exact: true }).waitFor();
    // A busy machine may show it only when that is some seconds ago.
    await page.getByText(/^checked /).waitFor();
    const again = page.getByRole('button', { name: 'Look again' });
    const notice = page.getByRole('region', { name: 'Notices' }).getByText('The doctor ran only just now.');
    // A machine that takes 10 s to press the button makes the doctor look once more, and then it is pressed at once.
    await until(
      async () => {
        if ((await notice.count()) > 0) return true;
        if ((await again.count()) > 0 && (await again.isEnabled())) await again.click();
        return false;
      },
      () => 'the notice that the doctor has only just looked',
    );
    expect(faults).toEqual([]);
  });

  test('each setting says what it does, and can be found by that', async () => {
    const { page } = tab;
    await go(page, 'Settings');
    await loaded(page);
    await page.getByLabel('Filter').fill('contacts on this mac');
    await page.getByRole('row').filter({ hasText: 'contacts.enabled' }).getByText('On macOS').waitFor();
    expect(await page.getByRole('row').count()).toBe(2);
  });
});
