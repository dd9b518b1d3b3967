import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { outgoingMessageSchema } from '../../src/model/gatewayMessages.js';
import { page } from '../docs/page.js';
import { AGENT_ID, incoming } from '../kit/backend/PlainAgent.js';
import { until } from '../support/until.js';
import { GatewayWorld } from './GatewayWorld.js';
import { gatewayEngines } from './gatewayEngines.js';

const commandSchema = z.object({ data: z.object({ command_id: z.string(), payload: z.looseObject({}) }) });

describe.each(gatewayEngines('PostgreSQL'))('an application of the gateway on $name', (engine) => {
  test('sends a message to the socket of the agent, and sees what its ack reports', async () => {
    const world = await GatewayWorld.start(engine);
    const key = await world.addKey(['messages:read', 'messages:write', 'events:read'], [AGENT_ID]);
    const headers = { Authorization: `Bearer ${key}` };
    const stop = new AbortController();
    const events = await fetch(`${world.url}/v1/events`, { headers, signal: stop.signal });
    const socket = await world.connect();
    const body = JSON.stringify({ to: '+13105551234', text: 'hello' });
    const sent = await fetch(`${world.url}/v1/messages`, { method: 'POST', headers, body });
    expect(sent.status).toBe(202);
    const { id } = outgoingMessageSchema.parse(await sent.json());
    const { data } = commandSchema.parse(await socket.next('command'));
    expect(data).toMatchObject({ command_id: id, payload: { thread_id: '+13105551234', text: 'hello' } });
    const result = { outcome: 'sent', retry_safe: false, message_guid: 'G1', service: 'iMessage' };
    const ack = { command_id: id, status: 'completed', success: true, error: null, revision: 1, result };
    socket.send({ type: 'command_ack', data: ack });
    await socket.barrier();
    const found = await fetch(`${world.url}/v1/messages/${id}`, { headers });
    expect(outgoingMessageSchema.parse(await found.json())).toMatchObject({
      status: 'sent',
      message_guid: 'G1',
    });
    let told = '';
    const reader = events.body?.pipeThrough(new TextDecoderStream()).getReader();
    while (reader !== undefined && !told.includes('event: message.status'))
      told += (await reader.read()).value ?? '';
    expect(told).toContain(`"message_id":"${id}"`);
    stop.abort();
  });

  test('receives events as they happen with the command of docs/gateway-api.md', async () => {
    const world = await GatewayWorld.start(engine);
    const [, line = ''] = /```sh\n(curl .+)\n```/.exec(page('docs/gateway-api.md')) ?? [];
    const env = { ...process.env, GATEWAY: world.url, KEY: await world.addKey(['events:read']) };
    const curl = spawn('sh', ['-c', `exec ${line} --silent`], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(curl, 'exit');
    onTestFinished(async () => {
      curl.kill();
      await ended;
    });
    const shown: string[] = [];
    createInterface({ input: curl.stdout }).on('line', (one) => shown.push(one));
    // The first line says that the stream is open.
    await until(
      () => shown.length > 0,
      () => 'the stream',
    );
    await world.post('/edge/message', incoming('g1'));
    await until(
      () => shown.includes('event: message.received'),
      () => `the event in:\n${shown.join('\n')}`,
    );
  });

  test('with an open stream does not delay a gateway that stops', async () => {
    const world = await GatewayWorld.start(engine);
    const headers = { Authorization: `Bearer ${await world.addKey(['events:read'])}` };
    const events = await fetch(`${world.url}/v1/events`, { headers });
    let isOver = false;
    const read = events.text().then(() => {
      isOver = true;
    });
    await world.gateway.stop();
    await until(
      () => isOver,
      () => 'the end of the stream',
    );
    await read;
  });
});
