import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import type { StatusSnapshot } from '../../src/model/status.js';
import { EdgeWorld, OWN, PERSON } from '../support/EdgeWorld.js';
import { until } from '../support/until.js';

interface Told {
  event: string;
  problems: { code: string }[];
}

/** A receiver of alerts; the received ones, in order. */
async function receiver(): Promise<{ url: string; told: Told[]; answers: { status: number } }> {
  const told: Told[] = [];
  const answers = { status: 200 };
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    request.on('end', () => {
      told.push(JSON.parse(text) as Told);
      response.writeHead(answers.status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook/s3cret`, told, answers };
}

test('an operator is alerted once that the agent is degraded, over a kill, and once that it is healthy again', async (context) => {
  const { url, told } = await receiver();
  const came = (count: number) =>
    until(
      () => told.length >= count,
      () => `${count} alerts; there were ${JSON.stringify(told)}`,
    );
  const world = await EdgeWorld.open(context, {
    settings: { 'alerts.webhook_url': url, 'alerts.after_seconds': 1 },
  });
  const tested = await world.cli('alerts', 'test');
  expect(tested).toMatchObject({ exitCode: 0, stdout: 'webhook: delivered\n' });
  const daemon = await world.start();
  expect((await world.cli('pause')).exitCode).toBe(0);
  await came(2);
  await daemon.line('Alert delivered');
  await daemon.kill('SIGKILL');
  const again = await world.start();
  expect((await world.cli('resume')).exitCode).toBe(0);
  await came(3);
  await again.line('Alert delivered');
  expect(told.map(({ event }) => event)).toEqual(['test', 'degraded', 'healthy']);
  expect(told[1]?.problems.map(({ code }) => code)).toContain('sending_paused');
  for (const secret of [OWN.slice(1), PERSON.slice(1), world.backend.url])
    expect(JSON.stringify(told)).not.toContain(secret);
  expect([...daemon.lines(), ...again.lines()].join('\n')).not.toContain('s3cret');
});

test('a test in the running agent shows at once whether its alerts work, and sends what waits', async (context) => {
  const { url, told, answers } = await receiver();
  answers.status = 503;
  const world = await EdgeWorld.open(context, {
    settings: { 'alerts.webhook_url': url, 'alerts.after_seconds': 1 },
  });
  const daemon = await world.start();
  const failing = ({ snapshot }: { snapshot: StatusSnapshot | null }) =>
    snapshot?.problems.some(({ code }) => code === 'alerts_failing') === true;
  const failed = await world.cli('alerts', 'test');
  expect(failed).toMatchObject({ exitCode: 1, stdout: expect.stringContaining('not delivered: HTTP 503') });
  expect(failing(await daemon.status())).toBe(true);
  expect((await world.cli('pause')).exitCode).toBe(0);
  await daemon.line('An alert could not be delivered');
  answers.status = 204;
  const tested = await world.cli('alerts', 'test');
  expect(tested).toMatchObject({ exitCode: 0, stdout: 'webhook: delivered\n', stderr: '' });
  expect(failing(await daemon.status())).toBe(false);
  // Not 30 s later, as its retry would be.
  await daemon.line('Alert delivered');
  expect(told.map(({ event }) => event)).toEqual(['test', 'degraded', 'test', 'degraded']);
});

test('the running agent tests the URL that was just saved', async (context) => {
  const { url, told } = await receiver();
  const world = await EdgeWorld.open(context, { settings: { 'alerts.webhook_url': 'http://127.0.0.1:1/' } });
  await world.start();
  world.writeConfig({ 'alerts.webhook_url': url });
  expect(await world.cli('alerts', 'test')).toMatchObject({ exitCode: 0, stderr: '' });
  expect(told.map(({ event }) => event)).toEqual(['test']);
});
