import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { EdgeWorld, OWN, PERSON } from '../support/EdgeWorld.js';
import { until } from '../support/until.js';

interface Told {
  event: string;
  problems: { code: string }[];
}

/** A receiver of alerts; what it was told, in order. */
async function receiver(): Promise<{ url: string; told: Told[] }> {
  const told: Told[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    request.on('end', () => {
      told.push(JSON.parse(text) as Told);
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook/s3cret`, told };
}

test('somebody is told once that the agent is degraded, over a kill, and once that it is healthy again', async (context) => {
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
