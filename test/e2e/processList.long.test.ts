import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { scripted } from '../../src/kit/backend/persona.js';
import { AGENT_ID, PERSON, SECRET } from '../support/EdgeWorld.js';
import { MacWorld } from '../support/MacWorld.js';
import { ProcessList } from '../support/ProcessList.js';
import { CLI } from '../support/program.js';

const QUESTION = 'where did I leave my umbrella?';
const ANSWER = { reflex: 'one moment please', bubbles: ['on the train to Basel'] };
const COMMAND = 'a text of the backend';
const FROM_STDIN = 'a text that came by stdin';
const SENT = [ANSWER.reflex, ...ANSWER.bubbles, COMMAND, FROM_STDIN];

/** So long that the list, which is looked at every few ms, shows each of them. */
const LASTING_S = 0.5;

/** How each token of the agent begins: it is base64, of which three bytes are four characters. */
const TOKEN = Buffer.from(AGENT_ID.slice(0, 15)).toString('base64');

test.skipIf(process.platform !== 'linux')(
  'the process list never shows a secret, and a text only as what osascript is to send',
  async (context) => {
    const world = await MacWorld.open(context, {
      persona: scripted([ANSWER]),
      settings: { 'supervisor.enabled': true, 'supervisor.caffeinate': true },
    });
    for (const name of ['caffeinate', 'pgrep', 'open', 'pmset', 'defaults', 'fdesetup', 'sw_vers']) {
      const path = join(world.launchd.directory, name);
      writeFileSync(path, `#!/bin/sh\nsleep ${LASTING_S}\n`);
      chmodSync(path, 0o755);
    }
    Object.assign(world.edge.place.env, world.launchd.env);
    world.edge.behave({ kind: 'ok', slowMs: LASTING_S * 1_000 }, { times: 'always' });
    const list = new ProcessList(context);

    await world.edge.start();
    world.edge.mac.chatDb.receive({ from: PERSON, text: QUESTION });
    await world.edge.sent(2);
    await world.edge.acked(world.edge.command(COMMAND));
    await sendFromStdin(world);
    for (const verb of ['status', 'doctor', 'logs', 'kick']) await world.edge.cli(verb);
    expect(world.edge.texts).toEqual(SENT);

    const programs = list.seen.map(({ args }) => args.join(' '));
    for (const program of ['main.js run', 'main.js doctor', '/caffeinate', '/pgrep'])
      expect(
        programs.some((line) => line.includes(program)),
        program,
      ).toBe(true);
    for (const text of SENT)
      expect(
        list.seen.some(({ args }) => args.includes(text)),
        text,
      ).toBe(true);
    for (const { args, environment } of list.seen) {
      const all = [...args, environment].join('\n');
      for (const secret of [SECRET, TOKEN, 'Bearer']) expect(all).not.toContain(secret);
      expect(all).not.toContain(QUESTION);
      for (const text of SENT) {
        expect(environment).not.toContain(text);
        if (args.some((argument) => argument.includes(text)))
          expect(args.join(' ')).toContain(world.edge.mac.osascriptDirectory);
      }
    }
  },
);

async function sendFromStdin(world: MacWorld): Promise<void> {
  const { cwd, env } = world.edge.place;
  const child = spawn(process.execPath, [CLI, 'send', PERSON, '-'], {
    cwd,
    env,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  child.stdin.end(`${FROM_STDIN}\n`);
  expect(await once(child, 'close')).toEqual([0, null]);
}
