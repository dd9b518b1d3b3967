import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { devBackendVerb } from '../../src/cli/dev/devBackendVerb.js';
import { loadPersona } from '../../src/kit/backend/loadPersona.js';
import { SimulatedBackend } from '../../src/kit/backend/SimulatedBackend.js';
import { AGENT_ID, incoming, PlainSocket, post, SECRET } from '../kit/backend/PlainAgent.js';
import { temporaryDirectory } from '../support/temporaryStore.js';
import { page, tableUnder } from './page.js';

const text = page('docs/backend.md');
const blocks = (language: string) =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(
    ([, block = '']) => block,
  );

/** The persona of the page, as a file. */
async function shownPersona() {
  const path = join(temporaryDirectory(), 'persona.mjs');
  writeFileSync(path, blocks('js')[0] ?? '');
  return loadPersona(path);
}

test('the options that it lists are those of the verb, with their defaults', () => {
  const options = (devBackendVerb.options ?? []).map(({ flags, default: preset }) => {
    return { flag: flags.replace(/ .*$/, ''), preset };
  });
  const told = tableUnder('## Running it', text).map(([option = '', , preset = '']) => {
    return { flag: option.replaceAll('`', ''), preset: preset.replaceAll('`', '') };
  });
  expect(told.map(({ flag }) => flag)).toEqual(options.map(({ flag }) => flag));
  for (const { flag, preset } of told.filter((option) => !option.preset.startsWith('$'))) {
    expect(options.find((option) => option.flag === flag)?.preset, flag).toBe(preset);
  }
});

test('the persona that it shows is silent in groups, greets, and then echoes after a reflex', async () => {
  const persona = await shownPersona();
  const message = { thread_id: '+1', sender: '+1', filtered_text: 'hello' };
  const context = { agentId: AGENT_ID, guid: 'g', answered: 0, connected: true };
  expect(await persona({ ...message, is_group: true }, context)).toMatchObject({ shouldRespond: false });
  expect(await persona(message, context)).toEqual({ bubbles: ['hi!', 'what can I do for you?'] });
  expect(await persona(message, { ...context, answered: 1 })).toEqual({
    reflex: 'one sec',
    bubbles: ['you said: hello'],
    delayMs: 2_000,
  });
});

test('the lines that it shows are logged, in this order, with a socket and without', async () => {
  const lines: string[] = [];
  const persona = () => ({ reflex: 'one sec', bubbles: [] });
  const log = (line: string) => lines.push(line);
  const backend = await SimulatedBackend.start({ port: 0, secret: SECRET, persona, log });
  onTestFinished(() => backend.stop());
  const agent = await PlainSocket.connect(backend);
  await post(backend, '/edge/message', incoming('g1'));
  const shown = blocks('').find((block) => block.startsWith('[WebSocket] Connected')) ?? '';
  expect(lines).toEqual(shown.trim().split('\n'));
  agent.socket.terminate();
  await backend.until(() => backend.connections.length === 0);
  lines.length = 0;
  await post(backend, '/edge/message', incoming('g2'));
  expect(lines).toEqual([
    `[HTTP POST] Received from ${AGENT_ID}`,
    '[Reflex] WebSocket NOT found ❌ (will return in HTTP response only)',
  ]);
  expect(text).toContain(`\`${lines[1]}\``);
});
