import { describe, expect, test } from 'vitest';
import type { Persona } from '../../src/kit/backend/persona.js';
import { MutantBackend, type PassingReply } from '../kit/conformance/MutantBackend.js';
import { type Cleanup, EdgeWorld } from '../support/EdgeWorld.js';
import { until } from '../support/until.js';

const persona: Persona = ({ filtered_text }) => ({ bubbles: [`re: ${filtered_text}`] });
const person = (number: number) => `+1310555${2000 + number}`;
const TALKER = person(99);

type Wrong = () => PassingReply | Promise<PassingReply>;

const never: Wrong = () => new Promise<PassingReply>(() => undefined);

/** What a backend does to one message, and what the operator reads about it. */
const WRONGS: readonly (readonly [name: string, wrong: Wrong, reason: string])[] = [
  ['hang', never, 'no answer within 2 s'],
  [
    'firewall',
    () => ({ status: 403, body: { error: 'blocked\u001b[31m\nby rule 7' } }),
    'HTTP 403: blocked [31m by rule 7',
  ],
  ['unauthorised', () => ({ status: 401, body: {} }), 'HTTP 401'],
  ['headers', () => ({ status: 431, body: {} }), 'HTTP 431'],
  ['legal', () => ({ status: 451, body: { detail: 'not here' } }), 'HTTP 451: not here'],
  ['pay', () => ({ status: 402, body: {} }), 'HTTP 402'],
  ['gone', () => ({ status: 410, body: {} }), 'HTTP 410'],
  ['redirect', () => ({ status: 302, body: {} }), 'HTTP 302'],
  [
    'error with 200',
    () => ({ status: 200, body: { error: 'no model' } }),
    'the answer reports an error: no model',
  ],
  ['empty object', () => ({ status: 200, body: {} }), 'the answer has none of the fields of a reply'],
];

/** A daemon with a backend that does something else to some posts of messages; `text` is what the person wrote. */
async function worldWith(context: Cleanup, wrong: (text: string) => ReturnType<Wrong> | undefined) {
  const posts: string[] = [];
  const world = await EdgeWorld.open(context, { persona });
  const mutant = await MutantBackend.start(world.backend.url, {
    request({ path, body }) {
      if (path !== '/edge/message') return undefined;
      const { filtered_text: text } = JSON.parse(body) as { filtered_text: string };
      posts.push(text);
      return wrong(text);
    },
  });
  context.onTestFinished(() => mutant.stop());
  world.writeConfig({ 'backend.url': mutant.url, 'backend.request_timeout_seconds': 2 });
  const daemon = await world.start();
  return { world, daemon, posts };
}

describe('a message that the backend does not accept', { concurrent: true }, () => {
  test('whatever it does instead, while it accepts others, is set aside with the reason; its conversation continues, and nothing else is blamed', async (context) => {
    const byText = new Map(WRONGS.map(([name, wrong]) => [name, wrong]));
    const { world, daemon } = await worldWith(context, (text) => byText.get(text)?.());
    const { chatDb } = world.mac;
    WRONGS.forEach(([name], number) => {
      chatDb.receive({ from: person(number), text: name });
      chatDb.receive({ from: person(number), text: `after ${name}` });
    });
    const blamed = new Set<string>();
    let setAside = 0;
    let said = 0;
    await until(
      async () => {
        chatDb.receive({ from: TALKER, text: `hello ${++said}` });
        const { snapshot } = await daemon.statusUntil(() => true);
        for (const { code } of snapshot?.problems ?? []) blamed.add(code);
        setAside = snapshot?.incoming_parked ?? 0;
        await new Promise((resolve) => setTimeout(resolve, 1_000));
        return setAside === WRONGS.length;
      },
      () => `${WRONGS.length} messages set aside; there are ${setAside}`,
    );
    expect(blamed).not.toContain('backend_unauthorised');
    const listed = JSON.parse((await world.cli('queue', 'list', '--json')).stdout) as {
      parked: { error: string }[];
    };
    for (const [, , reason] of WRONGS)
      expect(listed.parked.map(({ error }) => error)).toContainEqual(expect.stringContaining(reason));
    await until(
      () => WRONGS.every(([name]) => world.texts.includes(`re: after ${name}`)),
      () => `an answer to what came after each; there are ${JSON.stringify(world.texts)}`,
    );
    await world.backend.until(
      () =>
        world.backend.events.filter(({ body }) => JSON.stringify(body).includes('set_aside')).length >=
        WRONGS.length,
    );
  });

  test('while it accepts none is kept, although syncs and the socket work; all are posted in order after it', async (context) => {
    let isDown = true;
    const { world, daemon, posts } = await worldWith(context, () =>
      isDown ? { status: 503, body: {} } : undefined,
    );
    for (const text of ['one', 'two', 'three'])
      for (const number of [1, 2]) world.mac.chatDb.receive({ from: person(number), text });
    await until(
      () => posts.length >= 10,
      () => `10 posts; there are ${posts.length}`,
    );
    const { snapshot } = await daemon.statusUntil(() => true);
    expect(snapshot).toMatchObject({ incoming_parked: 0, incoming_queued: 6 });
    isDown = false;
    await until(
      () => world.texts.length >= 6,
      () => `six answers; there are ${JSON.stringify(world.texts)}`,
    );
    expect(world.texts.toSorted()).toEqual(
      ['one', 'one', 'three', 'three', 'two', 'two'].map((text) => `re: ${text}`),
    );
    expect(posts.slice(-6).filter((text) => text === 'three')).toHaveLength(2);
  });
});
