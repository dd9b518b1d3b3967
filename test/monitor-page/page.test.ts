import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MonitorSecret } from '../../src/monitor/MonitorSecret.js';
import { Browser, browserPath, loaded, PHONE, type Tab } from '../support/Browser.js';
import { PERSON, REALTIME } from '../support/EdgeWorld.js';
import { served } from '../support/servedPage.js';
import { until } from '../support/until.js';

const path = browserPath();
const cleanups: (() => void | Promise<void>)[] = [];
const cleanup = { onTestFinished: (clean: () => void | Promise<void>) => void cleanups.push(clean) };
let browser: Browser;
/**
 * One agent and one tab for all tests, which run one after the other. A tab costs more than all that a test does in
 * it.
 */
let agent: Awaited<ReturnType<typeof served>>;
let tab: Tab;

beforeAll(async () => {
  if (path === undefined) return;
  browser = await Browser.open(path);
  agent = await served(browser, cleanup);
  tab = await agent.open();
});
afterAll(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
  await browser?.close();
});

/** The shared tab, at the overview. */
async function shared() {
  await tab.page.getByRole('link', { name: 'Overview' }).click();
  tab.faults.length = 0;
  return { ...agent, ...tab };
}

describe.skipIf(path === undefined)('the page of a running agent', () => {
  test('a conversation appears as it happens, hidden and masked until requested', async () => {
    const { world, page, faults } = await shared();
    await page.getByRole('link', { name: 'Conversations' }).click();
    await page.getByText('No conversation yet.').waitFor();
    world.mac.chatDb.receive({ from: PERSON, text: 'a very private matter' });
    const messages = page.getByRole('region', { name: 'Messages' }).getByRole('listitem');
    await messages.filter({ hasText: 'Hidden, 21 characters' }).waitFor();
    await until(
      async () => (await messages.count()) === 3,
      () => 'the answer',
    );
    expect(await page.content()).not.toMatch(/private|3105551234/);
    await page.getByRole('switch', { name: 'Show texts' }).click();
    await messages.filter({ hasText: 'you said: a very private matter' }).waitFor();
    await page.getByRole('heading', { name: PERSON }).waitFor();
    await page.getByRole('switch', { name: 'Show texts' }).click();
    await messages.filter({ hasText: 'Hidden, 21 characters' }).waitFor();
    expect(await page.content()).not.toMatch(/private|3105551234/);
    expect(faults).toEqual([]);
  });

  test('a scheduled text is cancelled by keyboard, after a confirmation', async () => {
    const { world, page, faults } = await shared();
    const send_at = new Date(Date.now() + 3_600_000).toISOString();
    const payload = { thread_id: PERSON, message_text: 'happy birthday', send_at };
    const { commandId } = world.backend.pushCommand({ command_type: 'schedule_message', payload });
    await world.acked(commandId);
    await page.getByRole('link', { name: 'Schedule' }).focus();
    await page.keyboard.press('Enter');
    const cancel = page.getByRole('button', { name: /^Cancel: / });
    await cancel.focus();
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog', { name: 'Cancel this text?' });
    await dialog.waitFor();
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    // The key goes to what has the focus, which comes back a moment after the question is gone.
    await until(
      () => cancel.evaluate((button) => button.matches(':focus')),
      () => 'the focus to be back',
    );
    await page.keyboard.press('Enter');
    await dialog.waitFor();
    // And it goes into the question a moment after that is there.
    await until(
      () => dialog.evaluate((question) => question.matches(':focus-within')),
      () => 'the focus to be in the question',
    );
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByText('Nothing is scheduled.').waitFor();
    const ack = await world.acked(commandId, 2);
    expect(ack).toMatchObject({ status: 'failed', error: expect.stringContaining('cancel') });
    expect(faults).toEqual([]);
  });

  test('a command shows its history, and the log its lines', async () => {
    const { world, page, faults } = await shared();
    const command = world.command('hello');
    await world.acked(command);
    await page.getByRole('link', { name: 'Commands' }).click();
    await page.getByRole('link', { name: command }).click();
    const steps = page.getByRole('region', { name: `Command ${command}` }).getByRole('listitem');
    await steps.filter({ hasText: 'ack read' }).waitFor();
    await page.getByRole('link', { name: 'Log', exact: true }).click();
    await page.getByLabel('Filter').fill('realtime-nonsense');
    await page.getByText('No matching lines.').waitFor();
    await page.getByLabel('Filter').fill('websocket connected');
    await page.getByRole('log').getByText('WebSocket connected').first().waitFor();
    expect(faults).toEqual([]);
  });

  test('a resumed conversation is not reported as sending while everything is paused', async () => {
    const { world, page, faults } = await shared();
    const before = world.texts.length;
    world.mac.chatDb.receive({ from: PERSON, text: 'hello' });
    await world.sent(before + 2);
    await page.getByRole('link', { name: 'Conversations' }).click();
    await page.getByRole('button', { name: 'Pause', exact: true }).click();
    const notices = page.getByRole('region', { name: 'Notices' });
    await notices.getByText('This conversation is paused: texts wait until you resume.').waitFor();
    await page.getByRole('button', { name: 'Pause sending' }).click();
    await page.getByRole('button', { name: 'Resume sending' }).waitFor();
    await page.getByRole('button', { name: 'Resume', exact: true }).click();
    await notices.getByText('its texts still wait: sending is paused everywhere').waitFor();
    await page.getByRole('button', { name: 'Pause', exact: true }).click();
    await page.getByRole('button', { name: 'Resume sending' }).click();
    await notices.getByText('texts still wait in 1 conversation paused separately').waitFor();
    await page.getByText('nothing is sent in this conversation until it is resumed').waitFor();
    expect(await notices.textContent()).not.toContain('go out');
    await page.getByRole('button', { name: 'Resume', exact: true }).click();
    await page.getByRole('button', { name: 'Pause', exact: true }).waitFor();
    expect(faults).toEqual([]);
  });

  test('sending is paused and resumed, and the page says so', async () => {
    const { world, page } = await shared();
    const before = world.texts.length;
    await page.getByRole('button', { name: 'Pause sending' }).click();
    await page.getByRole('listitem').filter({ hasText: 'Everything' }).waitFor();
    world.command('held back');
    await page.getByRole('button', { name: 'Resume sending' }).click();
    await world.sent(before + 1);
    await page.getByText('Nothing is paused.').waitFor();
  });

  test('no view requests anything beyond loopback, or logs an error in the console', async () => {
    const { page, faults } = await shared();
    for (const view of await page.getByRole('navigation').getByRole('link').all()) {
      await view.click();
      await loaded(page);
    }
    expect(faults).toEqual([]);
  });

  test('the first paint waits for nothing but one small style sheet', async () => {
    const { page } = await shared();
    await page.getByRole('heading').first().waitFor();
    const files = (await page.evaluate(
      `performance.getEntriesByType('resource').map((file) => [file.renderBlockingStatus, file.name, file.decodedBodySize])`,
    )) as [string, string, number][];
    const awaited = files.filter(([status]) => status === 'blocking');
    expect(awaited).toEqual([['blocking', expect.stringMatching(/\.css$/), expect.any(Number)]]);
    expect(awaited[0]?.[2]).toBeLessThan(64 * 1024);
  });

  test('a phone shows every tab, and a badge where something waits', async () => {
    const { origin, token } = agent;
    const { page, faults } = await browser.tab(PHONE);
    await page.goto(`${origin}/#token=${await token('link')}`);
    await page.getByRole('button', { name: 'Pause sending' }).click();
    const links = page.getByRole('navigation').getByRole('link');
    const badge = links.filter({ hasText: 'Overview' }).getByText('1', { exact: true });
    await badge.waitFor();
    for (const part of [...(await links.all()), badge]) {
      const { x = -1, width = 0 } = (await part.boundingBox()) ?? {};
      expect(x).toBeGreaterThanOrEqual(0);
      expect(x + width).toBeLessThanOrEqual(390);
    }
    expect(await links.count()).toBe(8);
    await page.getByRole('button', { name: 'Resume sending' }).click();
    await page.getByRole('button', { name: 'Pause sending' }).waitFor();
    expect(faults).toEqual([]);
  });

  test('a link is good once, leaves the address bar, and nothing of it is kept', async () => {
    const { origin, token } = agent;
    const link = `${origin}/#token=${await token('link')}`;
    const { page } = await browser.tab();
    await page.goto(link);
    await page.getByRole('button', { name: 'Pause sending' }).waitFor();
    expect(page.url()).not.toContain('token');
    const kept = 'JSON.stringify([document.cookie, { ...localStorage }, history.state])';
    expect(await page.evaluate(kept)).toBe('["",{},null]');
    const inTab = (await page.evaluate('JSON.stringify({ ...sessionStorage })')) as string;
    expect(Object.keys(JSON.parse(inTab) as object)).toEqual(['edge-agent-session']);
    expect(inTab).not.toContain(link.split('token=')[1]);
    const again = await browser.tab();
    await again.page.goto(link);
    await again.page.getByRole('heading', { name: 'The token was refused' }).waitFor();
  });

  test('a viewer is seen by the others, also when they leave', async () => {
    const first = await shared();
    const second = await first.open();
    await second.page.getByLabel('I am').selectOption('busy');
    const watching = first.page.getByRole('region', { name: 'Watching' });
    await watching.getByText('busy', { exact: true }).last().waitFor();
    await second.page.close();
    await watching.getByRole('listitem').filter({ hasText: 'online' }).waitFor();
  });

  test('the title and the icon of the tab show a problem, and a lost agent', async () => {
    const { daemon, page, faults } = await shared();
    const icon = `document.querySelector("link[rel=icon]").getAttribute("href")`;
    const shows = async (title: RegExp, file: string) => {
      await until(
        async () => title.test(await page.title()) && (await page.evaluate(icon)) === file,
        () => `the tab with ${title} and ${file}`,
      );
    };
    await page.getByText('Real-time').first().waitFor();
    await shows(/^Overview · edge-agent$/, 'icon-well.svg');
    await page.getByRole('button', { name: 'Pause sending' }).click();
    await shows(/^✗ 1 problem · Overview/, 'icon-wrong.svg');
    await page.getByRole('button', { name: 'Resume sending' }).click();
    await shows(/^Overview · edge-agent$/, 'icon-well.svg');
    expect(faults).toEqual([]);
    await daemon.kill('SIGTERM');
    await shows(/^Disconnected · Overview/, 'icon-away.svg');
  });

  test('a lost agent is shown as lost, and everything is live again once it is back', async () => {
    const { world, daemon, page } = { ...agent, ...tab };
    await daemon.kill('SIGTERM');
    await page.getByRole('status').filter({ hasText: 'Disconnected.' }).waitFor();
    const again = await world.start();
    await page.getByRole('status').filter({ hasText: 'Disconnected.' }).waitFor({ state: 'detached' });
    await again.line(REALTIME);
    await page.getByRole('link', { name: 'Conversations' }).click();
    world.mac.chatDb.receive({ from: PERSON, text: 'are you back?' });
    await page.getByText('Hidden, 13 characters').waitFor();
  });

  test('a reload keeps the session and hides the texts, and signing out ends it', async () => {
    const { page } = await shared();
    const shown = page.getByRole('switch', { name: 'Show texts' });
    await shown.click();
    await page.reload();
    expect(await shown.getAttribute('aria-checked')).toBe('false');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'This page needs a token' }).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'This page needs a token' }).waitFor();
  });

  test('a wrong token is refused, and a valid one accepted', async () => {
    const { token, page } = { ...agent, ...tab };
    await page.getByLabel('Token').fill('not.a.token');
    await page.getByRole('button', { name: 'Open', exact: true }).click();
    await page.getByRole('alert').filter({ hasText: 'Invalid token' }).waitFor();
    await page.getByLabel('Token').fill(await token('session'));
    await page.getByRole('button', { name: 'Open', exact: true }).click();
    await page.getByRole('button', { name: 'Pause sending' }).waitFor();
  });

  test('a session that is refused after a reload is forgotten, and says why', async () => {
    const { world, page } = await shared();
    await page.getByRole('button', { name: 'Pause sending' }).waitFor();
    MonitorSecret.in(world.state).rotate();
    await page.reload();
    await page.getByRole('alert').filter({ hasText: 'Invalid token' }).waitFor();
    expect(await page.evaluate('sessionStorage.length')).toBe(0);
  });
});
