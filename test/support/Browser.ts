import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type BrowserContextOptions, chromium, type Page, type Browser as Process } from 'playwright-core';
import { onTestFinished } from 'vitest';
import type { Cleanup } from './EdgeWorld.js';
import { PATIENCE_MS } from './patience.js';
import { until } from './until.js';

/** Where a browser of Chromium's kind usually is; `TEST_BROWSER` names another one. The shell does the same for a third of the work. */
const USUAL_PLACES = [
  '/usr/bin/chromium-headless-shell',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** The browser of this machine; undefined, and said loudly, where there is none. */
export function browserPath(): string | undefined {
  const path = [process.env.TEST_BROWSER, ...USUAL_PLACES].find((known) => known && existsSync(known));
  if (path === undefined) {
    console.warn(
      '\n  SKIPPED: the tests of the monitor’s page need a browser, and there is none.\n' +
        '  Debian: apt-get install chromium-headless-shell. Elsewhere: TEST_BROWSER=/path/to/chrome\n',
    );
  }
  return path;
}

export const PHONE: BrowserContextOptions = {
  viewport: { width: 390, height: 844 },
  deviceScaleFactor: 1.5,
  isMobile: true,
  hasTouch: true,
};
export const DESK: BrowserContextOptions = { viewport: { width: 1280, height: 800 } };

/** A tab of its own, and what went wrong in it. */
export interface Tab {
  page: Page;
  /** What the console complained of, what was thrown, and what was asked for beyond loopback. */
  faults: string[];
  /** What axe finds against WCAG 2.1 A and AA. */
  barriers(): Promise<string[]>;
}

/** Resolves once nothing on the page is still being loaded. */
export function loaded(page: Page): Promise<void> {
  const waiting = page.getByRole('main').getByText('Loading', { exact: true });
  return until(
    async () => (await waiting.count()) === 0,
    () => 'the end of loading',
  );
}

/** A headless browser; every tab has a profile of its own, and is closed with its test: one that is left open goes on working. */
export class Browser {
  private constructor(private readonly process: Process) {}

  static async open(executablePath: string): Promise<Browser> {
    const args = ['--no-sandbox', '--disable-background-networking'];
    return new Browser(await chromium.launch({ executablePath, args }));
  }

  close(): Promise<void> {
    return this.process.close();
  }

  async tab(options: BrowserContextOptions = DESK, cleanup: Cleanup = { onTestFinished }): Promise<Tab> {
    const context = await this.process.newContext({ locale: 'en-GB', timezoneId: 'UTC', ...options });
    cleanup.onTestFinished(() => context.close());
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    const faults: string[] = [];
    page.on('pageerror', (error) => faults.push(`thrown: ${error.message}`));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) faults.push(`console: ${message.text()}`);
    });
    context.on('request', (request) => {
      if (!/^(https?|wss?):\/\/127\.0\.0\.1[:/]|^data:/.test(request.url())) {
        faults.push(`beyond loopback: ${request.url()}`);
      }
    });
    return { page, faults, barriers: () => barriers(page) };
  }
}

async function barriers(page: Page): Promise<string[]> {
  // By the debugger, as the page lets no foreign script in.
  await page.evaluate(AXE);
  const found = (await page.evaluate(
    `axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] })
      .then(({ violations }) => violations.flatMap(({ id, nodes }) =>
        nodes.map(({ target, failureSummary }) => id + ' at ' + target.join(' ') + ': ' + failureSummary)))`,
  )) as string[];
  return found;
}
