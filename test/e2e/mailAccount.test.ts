import { expect, test } from 'vitest';
import { EdgeWorld, PERSON, SECRET } from '../support/EdgeWorld.js';
import { runCli } from '../support/runCli.js';

const ADDRESS = 'someone@example.com';

test('an account that has only an e-mail address posts, answers, gets commands and registers with it', async (context) => {
  const world = await EdgeWorld.open(context, { settings: { 'edge.user_phone': ADDRESS } });
  const daemon = await world.start();
  expect((await daemon.status()).snapshot?.agent_id).toBe(`edge_${ADDRESS}`);
  world.mac.chatDb.receive({ from: PERSON, text: 'hello' });
  await world.sent(1);
  await world.acked(world.command('by command'));
  expect(world.texts).toContain('by command');
});

test('a backend is judged with an agent of such an account, and the reference backend conforms', async (context) => {
  const world = await EdgeWorld.open(context);
  const only = 'register.answer,auth.socket.signed,push.live,message.reply';
  const args = ['conformance', world.backend.url, '--phone', ADDRESS, '--only', only];
  const place = { ...world.place, env: { ...world.place.env, EDGE_SECRET: SECRET } };
  const { stdout, exitCode } = await runCli(args, place);
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: expect.not.stringMatching(/^FAIL/m) });
});
