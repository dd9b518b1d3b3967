import { once } from 'node:events';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { mintToken } from '../../../src/backend/credentials.js';
import { page } from '../../docs/page.js';
import { missingProgram, startExample } from '../../support/startExample.js';
import { until } from '../../support/until.js';
import { freshToken } from '../backend/PlainAgent.js';
import { AGENT, failures, judgeBackend, OTHER, SECRET, withVerdict } from './judgeBackend.js';

for (const file of ['minimal-node.mjs', 'minimal_python.py'] as const) {
  const missing = missingProgram(file);
  test.skipIf(missing !== '')(`examples/${file} passes every check${missing}`, async (context) => {
    const results = await judgeBackend(await startExample(file, { EDGE_SECRET: SECRET }, context));
    expect(failures(results)).toEqual([]);
    expect(withVerdict(results, 'SKIP')).toEqual(['transport.tls', 'socket.idle']);
  });

  test.skipIf(missing !== '')(
    `examples/${file} logs on its console why it refuses${missing}`,
    async (context) => {
      const heard: string[] = [];
      const url = await startExample(file, { EDGE_SECRET: SECRET }, context, (line) => heard.push(line));
      const [id, seconds] = [AGENT.id, Math.floor(Date.now() / 1_000)];
      const tokens = {
        'no Authorization: Bearer header': undefined,
        'the token is not a signed one': SECRET,
        'the token is for edge_12025550144': freshToken(OTHER.id, SECRET),
        'are both clocks right?': mintToken(SECRET, id, AGENT.phone, (seconds - 200_000) * 1_000),
        'signed with our EDGE_SECRET': freshToken(id, 'another'),
      };
      for (const [why, token] of Object.entries(tokens)) {
        const headers = {
          'X-Edge-Agent-Id': id,
          ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
        };
        const answer = await fetch(`${url}/edge/sync`, { method: 'POST', headers, body: '{}' });
        expect(answer.status).toBe(token === undefined ? 401 : 403);
        await until(
          () => heard.some((line) => line.includes(id) && line.includes(why)),
          () => `"${why}" among ${heard.join('; ')}`,
        );
      }
      expect(heard.join('\n')).not.toContain(SECRET);
    },
  );

  test.skipIf(missing !== '')(
    `a frame that is no object does not end the socket of examples/${file}${missing}`,
    async (context) => {
      const url = (await startExample(file, { EDGE_SECRET: SECRET }, context)).replace('http', 'ws');
      const authorization = `Bearer ${freshToken(AGENT.id, SECRET)}`;
      const socket = new WebSocket(`${url}/edge/ws?edge_agent_id=${AGENT.id}`, {
        headers: { Authorization: authorization, 'X-Edge-Agent-Id': AGENT.id },
      });
      context.onTestFinished(() => socket.terminate());
      const types: unknown[] = [];
      const pong = new Promise((resolve, reject) => {
        socket.on('message', (data) => {
          const { type } = JSON.parse(data.toString());
          types.push(type);
          if (type === 'pong') resolve(types);
        });
        socket.on('close', (code) => reject(new Error(`closed with ${code}`)));
      });
      await once(socket, 'open');
      const nonsense = ['[]', 'null', '7', '"text"', '{', '{}', '{"type":"event"}', '{"type":"command_ack"}'];
      for (const text of [...nonsense, '{"type":"ping"}']) socket.send(text);
      expect(await pong).toEqual(['connected', 'pong']);
    },
  );
}

test('the example for Node is short enough to be read at once, and needs ws alone', () => {
  const text = page('examples/minimal-node.mjs');
  expect(text.trimEnd().split('\n').length).toBeLessThan(128);
  const packages = [...text.matchAll(/from '([^']+)'/g)].map(([, name = '']) => name);
  expect(packages.filter((name) => !name.startsWith('node:'))).toEqual(['ws']);
});
