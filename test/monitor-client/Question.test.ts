import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { EdgeError } from '../../src/errors.js';
import {
  type Answer,
  MonitorClient,
  Question,
  type WebSocketConstructor,
} from '../../src/monitor-client/index.js';
import { FakeClock } from '../support/FakeClock.js';
import { MonitorStage, TOKEN } from '../support/MonitorStage.js';
import { until } from '../support/until.js';

test('an agent that is busy is asked again, and the previous answer stays', async ({ onTestFinished }) => {
  let asked = 0;
  const stage = await MonitorStage.open({
    plays: {
      'queue.list': () => {
        asked += 1;
        if (asked === 1 || asked === 3) throw new EdgeError('monitor_busy', 'Too much.');
        return Array(asked).fill({});
      },
    },
  });
  const client = new MonitorClient({
    ...{ url: stage.url, token: TOKEN, WebSocket: WebSocket as unknown as WebSocketConstructor },
    topics: ['queues'],
  });
  const answers: Answer<unknown[]>[] = [];
  const question = new Question(client, 'queue.list', {}, ['queues'], (answer) => answers.push(answer));
  onTestFinished(async () => {
    question.stop();
    client.close();
    await stage.close();
  });
  const ready = (count: number) =>
    until(
      () => answers.some((answer) => answer.state === 'ready' && answer.value.length === count),
      () => `an answer of ${count}; there are ${JSON.stringify(answers)}`,
    );
  client.connect();
  await ready(2);
  stage.say('event', { topic: 'queues', at: new Date(0).toISOString() });
  await ready(4);
  expect(answers.map(({ state }) => state)).toEqual(['failed', 'ready', 'ready']);
});

test('one that was stopped does not ask again when its last answer is that the agent is busy', async ({
  onTestFinished,
}) => {
  const stage = await MonitorStage.open();
  const clock = Object.assign(new FakeClock(), { chance: () => 0 });
  const client = new MonitorClient({
    ...{ url: stage.url, token: TOKEN, WebSocket: WebSocket as unknown as WebSocketConstructor },
    ...{ topics: ['queues'], clock },
  });
  onTestFinished(async () => {
    client.close();
    await stage.close();
  });
  const asked = () =>
    stage.said.filter(({ type }) => type === 'request').map(({ data }) => data as { id: string });
  const askedTimes = (count: number) =>
    until(
      () => asked().length >= count,
      () => `${count} requests; there are ${asked().length}`,
    );
  const question = new Question(client, 'queue.list', {}, ['queues'], () => undefined);
  client.connect();
  await askedTimes(1);
  clock.advance(1_000);
  question.stop();
  const told = new Promise((resolve) => client.on('event', resolve));
  const error = { code: 'monitor_busy', message: 'Too much.', remedy: 'Wait.' };
  stage.say('response', { id: asked()[0]?.id, ok: false, error });
  stage.say('event', { topic: 'queues', at: new Date(0).toISOString() });
  await told;
  const last = client.request('status', {}).catch(() => 'cut off with the client');
  await until(
    () => asked().some((request) => 'verb' in request && request.verb === 'status'),
    () => 'the last request',
  );
  client.close();
  await last;
  expect(asked()).toHaveLength(2);
});
