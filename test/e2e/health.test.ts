import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { scripted } from '../../src/kit/backend/persona.js';
import { EdgeWorld, OWN, PERSON } from '../support/EdgeWorld.js';
import { until } from '../support/until.js';

async function served(world: EdgeWorld): Promise<string> {
  const daemon = await world.start();
  const line = await daemon.line('Health is served');
  return /url=(\S+)/.exec(line)?.[1] ?? '';
}

/** The value of a metric as it is exposed; undefined where there is none. */
function metric(text: string, name: string): number | undefined {
  const line = text.split('\n').find((one) => one.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.split(' ').at(-1));
}

describe('the health of a running agent', { concurrent: true }, () => {
  test('is measured: commands, acks, sends, latencies, without any address', async (context) => {
    const world = await EdgeWorld.open(context, {
      persona: scripted([{ bubbles: ['one', 'two'] }]),
      settings: { 'health.enabled': true, 'health.port': 0 },
    });
    const url = await served(world);
    world.mac.chatDb.receive({ from: PERSON, text: 'hello' });
    await world.sent(2);
    await world.acked(world.command('three'));
    await world.acked(
      world.backend.pushCommand({ command_type: `made up for ${PERSON}`, payload: {} }).commandId,
    );
    const scrape = async () => (await fetch(`${url}/metrics`)).text();
    expect(metric(await scrape(), 'edge_agent_event_loop_lag_seconds{of="max"}')).toBeGreaterThan(0);
    await until(
      async () => metric(await scrape(), 'edge_agent_acks_total{event="delivered"}') === 2,
      () => 'two acks delivered',
    );
    const text = await scrape();
    const values = {
      'edge_agent_commands_total{type="send_message_now",outcome="completed"}': 1,
      'edge_agent_commands_total{type="unknown",outcome="failed"}': 1,
      'edge_agent_acks_total{event="given"}': 2,
      'edge_agent_sends_total{outcome="sent"}': 3,
      edge_agent_messages_received_total: 1,
      edge_agent_command_to_osascript_seconds_count: 1,
      edge_agent_message_to_post_seconds_count: 1,
      edge_agent_ack_delivery_seconds_count: 2,
      'edge_agent_link_state{state="realtime"}': 1,
      'edge_agent_queue_depth{queue="incoming"}': 0,
      edge_agent_decode_fallbacks_total: 0,
      edge_agent_degraded: 0,
    };
    for (const [name, value] of Object.entries(values))
      expect([name, metric(text, name)]).toEqual([name, value]);
    expect(metric(text, 'edge_agent_ack_delivery_seconds_sum')).toBeLessThan(10);
    for (const secret of [OWN.slice(1), PERSON.slice(1), 'hello', 'three'])
      expect(text).not.toContain(secret);
    expect((await fetch(`${url}/ready`)).status).toBe(200);
  });

  test('is not ready while something is wrong, and says what', async (context) => {
    const world = await EdgeWorld.open(context, { settings: { 'health.enabled': true, 'health.port': 0 } });
    const url = await served(world);
    expect((await world.cli('pause')).exitCode).toBe(0);
    const answer = await fetch(`${url}/ready`);
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({ ready: false, problems: [{ code: 'sending_paused' }] });
    expect((await fetch(`${url}/health`)).status).toBe(200);
  });

  test('whose port the agent of another user has is reported, and served once that is free', async (context) => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    context.onTestFinished(() => void other.close());
    const { port } = other.address() as AddressInfo;
    const world = await EdgeWorld.open(context, {
      settings: { 'health.enabled': true, 'health.port': port },
    });
    const daemon = await world.start();
    const { snapshot } = await daemon.status();
    expect(snapshot).toMatchObject({
      state: 'degraded',
      problems: [{ code: 'health_unavailable', remedy: expect.stringContaining('health.port') }],
    });
    other.close();
    await daemon.line('Health is served');
    expect((await fetch(`http://127.0.0.1:${port}/ready`)).status).toBe(200);
    expect((await daemon.status()).snapshot?.problems).toEqual([]);
  });

  test('is fetched by nothing unless enabled, and an agent with a heartbeat stops at once', async (context) => {
    const world = await EdgeWorld.open(context, {
      settings: { 'health.heartbeat_url': 'http://127.0.0.1:9/ping/s3cret', 'health.heartbeat_seconds': 10 },
    });
    const daemon = await world.start();
    await daemon.line('The heartbeat fails');
    const shown = await world.cli('config', 'show');
    expect(shown.stdout).toContain('http://127.0.0.1:9/…');
    expect(shown.stdout).not.toContain('s3cret');
    expect((await daemon.kill('SIGTERM')).code).toBe(0);
    const log = world.log().join('\n');
    expect(log).not.toContain('Health is served');
    expect(log).not.toContain('s3cret');
    expect(log).toContain('host=127.0.0.1:9');
  });
});
