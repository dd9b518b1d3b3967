import { execFileSync } from 'node:child_process';
import { expect, onTestFinished, test } from 'vitest';
import { startGatewayDemo } from '../support/GatewayDemo.js';

test('the demo: a person is answered by the bot once, curl reaches her, and nothing is left', async () => {
  const demo = await startGatewayDemo();
  onTestFinished(async () => void (await demo.end()));
  demo.type('is anybody there?');
  await demo.shows('Messages │ → Ann: you said: is anybody there?');

  const answer = JSON.parse(execFileSync('sh', ['-c', `${demo.curl} --silent`], { encoding: 'utf8' }));
  expect(answer).toMatchObject({ status: 'queued', conversation: '+13105551234', text: 'hello Ann' });
  await demo.shows('Messages │ → Ann: hello Ann');

  demo.type('thanks');
  await demo.shows('Messages │ → Ann: you said: thanks');
  const told = demo.lines.filter((line) => line.includes('→ Ann:')).map((line) => line.split('→ Ann: ')[1]);
  expect(told.toSorted()).toEqual(
    ['one sec', 'you said: is anybody there?', 'hello Ann', 'one sec', 'you said: thanks'].toSorted(),
  );
  expect(await demo.end()).toEqual({ code: 0, left: [] });
});
