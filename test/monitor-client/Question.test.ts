import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { EdgeError } from '../../src/errors.js';
import {
  type Answer,
  MonitorClient,
  Question,
  type WebSocketConstructor,
} from '../../src/monitor-client/index.js';
import { MonitorStage, TOKEN } from '../support/MonitorStage.js';
import { until } from '../support/until.js';

test('an agent that has other work is asked again, and what was known before stays', async ({
  onTestFinished,
}) => {
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
