import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { scripted } from '../../src/kit/backend/persona.js';
import { DaemonProcess } from '../support/DaemonProcess.js';
import { EdgeWorld, REALTIME } from '../support/EdgeWorld.js';
import { armed, type KillPoint, killedAt, STEP_NAMES, type StepName } from '../support/killPoints.js';
import { sized } from '../support/size.js';
import { untilIdle } from '../support/statusOf.js';
import {
  ANSWER,
  commands,
  file,
  image,
  lateRow,
  message,
  queued,
  refusedMessage,
  type Story,
  schedule,
  unknownChat,
} from './stories.js';

/** Which story passes which step of docs/guarantees.md. */
const STORIES: Readonly<Record<Exclude<StepName, 'any'>, Story>> = {
  a1: message,
  a2: message,
  "a2'": refusedMessage,
  b1: commands,
  b2: commands,
  c0: queued,
  "c0'": file,
  c1: commands,
  c2: lateRow,
  "c2'": unknownChat,
  c3: message,
  d1: schedule,
  d2: schedule,
  d3: schedule,
  e1: commands,
  e2: commands,
  f1: image,
};

type Phase = 'before' | 'after';

/** To die right after a step is to die in the gap behind it; right before it, to die with the step not done at all. */
const POINTS = STEP_NAMES.filter((step) => step !== 'any').flatMap((step) =>
  sized<readonly Phase[]>(['after'], ['before', 'after']).map(
    (phase) => [`${phase} ${step}`, { step, phase, nth: 1 }] as const,
  ),
);

test('every step that the guarantees name has a kill point', () => {
  const page = readFileSync(new URL('../../docs/guarantees.md', import.meta.url), 'utf8');
  const named = [...page.matchAll(/^\| `([a-f]\d'?)` \[/gm)].map(([, name]) => name);
  expect(new Set(named)).toEqual(new Set(STEP_NAMES.filter((step) => step !== 'any')));
});

describe('a kill at any step of the guarantees loses nothing and repeats nothing', {
  concurrent: true,
}, () => {
  test.for<readonly [string, KillPoint]>(POINTS)('%s', async ([, point], context) => {
    const story = STORIES[point.step as keyof typeof STORIES];
    const world = await EdgeWorld.open(context, { persona: scripted([ANSWER]) });
    story.prepare?.(world);
    const doomed = DaemonProcess.spawn(armed(world.place, point));
    context.onTestFinished(() => doomed.dispose());
    await doomed.line(REALTIME);
    const begun = await story.begin(world);
    expect(await doomed.exited).toEqual({ code: null, signal: 'SIGKILL' });
    expect(killedAt(world.place)).toBe(`${point.step}:${point.phase}`);

    world.spawn();
    await world.sent(story.texts.length);
    const acks = await Promise.all([...begun].map(([id, revision]) => world.acked(id, revision)));
    await untilIdle(world.state);
    expect(world.texts).toEqual(story.texts);
    for (const ack of acks) expect(ack).toMatchObject({ status: 'completed', result: { outcome: 'sent' } });
    const answered = world.backend.messages.filter(({ repeat }) => !repeat);
    expect(answered).toHaveLength(begun.size === 0 ? 1 : 0);
    expect(new Set(world.backend.photos.map(({ guid }) => guid))).toEqual(new Set(story.images));
  });
});
