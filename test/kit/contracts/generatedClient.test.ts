import { execFile, execFileSync } from 'node:child_process';
import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { mintToken } from '../../../src/backend/credentials.js';
import { echo } from '../../../src/kit/backend/persona.js';
import { SimulatedBackend } from '../../../src/kit/backend/SimulatedBackend.js';
import { ROOT } from '../../docs/page.js';
import { temporaryDirectory } from '../../support/temporaryStore.js';

const BIN = join(ROOT, 'node_modules', '.bin');
const AGENT = { id: 'edge_13105550100', phone: '+13105550100' };
const SECRET = 'client-secret-5c1e';

/** An agent's requests by the generated types alone; the backend at argv[2], a token at argv[3]. */
const PROGRAM = `
import type { paths } from './schema.js';

const [, , url = '', token = ''] = process.argv;

type Posted = { [P in keyof paths]: paths[P] extends { post: { requestBody: { content: { 'application/json': object } } } } ? P : never }[keyof paths];
type Body<P extends Posted> = paths[P] extends { post: { requestBody: { content: { 'application/json': infer B } } } } ? B : never;
type Reply<P extends Posted> = paths[P] extends { post: { responses: { 200: { content: { 'application/json': infer R } } } } } ? R : never;

async function post<P extends Posted>(path: P, body: Body<P>, key = token): Promise<Reply<P>> {
  const headers = { Authorization: \`Bearer \${key}\`, 'X-Edge-Agent-Id': '${AGENT.id}', 'Content-Type': 'application/json' };
  const response = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(\`\${path}: HTTP \${response.status} \${await response.text()}\`);
  return (await response.json()) as Reply<P>;
}

const sent = await post('/api/send-message', { edge_agent_id: '${AGENT.id}', thread_id: '+13105551234', message: 'hello' }, '${SECRET}');
const before = await post('/edge/sync', SYNC);
const id = before.commands?.[0]?.command_id;
const ack = { command_id: String(id), status: 'completed', success: true, error: null, completed_at: AT, timestamp: AT, revision: 1 } as const;
await post('/edge/command/ack', ack);
const after = await post('/edge/sync', SYNC);
console.log(JSON.stringify({ sent: sent.success, id, waiting: after.commands?.length ?? 0 }));
`;

test('a client generated from the OpenAPI document compiles, and creates, fetches and acks a command', async (context) => {
  const directory = temporaryDirectory();
  const backend = await SimulatedBackend.start({ port: 0, secret: SECRET, persona: echo });
  context.onTestFinished(() => backend.stop());
  const schema = join(directory, 'schema.ts');
  execFileSync(join(BIN, 'openapi-typescript'), [join(ROOT, 'docs/api/openapi.yaml'), '-o', schema], {
    stdio: 'pipe',
  });
  const at = new Date().toISOString();
  const sync = {
    edge_agent_id: AGENT.id,
    last_command_id: null,
    pending_events: [],
    command_acks: [],
    status: { active_rules: 0 },
  };
  writeFileSync(
    join(directory, 'client.mts'),
    PROGRAM.replaceAll('SYNC', JSON.stringify(sync)).replaceAll('AT', JSON.stringify(at)),
  );
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  const options = [
    '--ignoreConfig',
    '--module',
    'nodenext',
    '--target',
    'es2022',
    '--strict',
    '--types',
    'node',
  ];
  execFileSync(join(BIN, 'tsc'), [...options, 'client.mts'], { cwd: directory, stdio: 'pipe' });
  const token = mintToken(SECRET, AGENT.id, AGENT.phone, Date.now());
  const args = [join(directory, 'client.mjs'), backend.url, token];
  // Not synchronously: the backend that it asks is in this process.
  const { stdout } = await promisify(execFile)(process.execPath, args);
  expect(JSON.parse(stdout)).toEqual({ sent: true, id: expect.stringMatching(/./), waiting: 0 });
});
