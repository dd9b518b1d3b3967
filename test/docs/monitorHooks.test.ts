import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { Browser, browserPath } from '../support/Browser.js';
import { MonitorStage, TOKEN } from '../support/MonitorStage.js';
import { page as document, ROOT } from './page.js';

const path = browserPath();

test.skipIf(path === undefined)('the example of the hooks runs as printed', async ({ onTestFinished }) => {
  const stage = await MonitorStage.open({
    plays: { 'schedule.list': () => [{}, {}] },
    greeting: [{ type: 'agent_status', data: { agentName: 'edge_1', state: 'idle' } }],
  });
  const browser = await Browser.open(path ?? '');
  onTestFinished(async () => {
    await browser.close();
    await stage.close();
  });
  const [, code = ''] = /```jsx\n([\s\S]*?)```/.exec(document('docs/monitor.md')) ?? [];
  const { outputFiles } = await build({
    stdin: {
      contents: code.replace('127.0.0.1:3100', `127.0.0.1:${stage.port}`),
      loader: 'jsx',
      resolveDir: ROOT,
    },
    ...{ bundle: true, write: false, format: 'iife', jsx: 'automatic', jsxImportSource: 'preact' },
  });
  const { page, faults } = await browser.tab();
  page.on('dialog', (dialog) => void dialog.accept(TOKEN));
  await page.evaluate(outputFiles[0]?.text ?? '');
  await page.getByText('Connected: idle').waitFor();
  await page.getByText('2 scheduled').waitFor();
  stage.plays['schedule.list'] = () => [{}];
  stage.say('event', { topic: 'schedule', at: new Date().toISOString() });
  await page.getByText('1 scheduled').waitFor();
  stage.say('notification', { level: 'info', message: 'hello' });
  await page.getByText('info: hello').waitFor();
  stage.drop();
  await page.getByText('Disconnected').waitFor();
  await page.getByText('Connected: idle').waitFor();
  expect(faults).toEqual([]);
});
