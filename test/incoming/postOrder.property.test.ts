import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MessageDispatcher } from '../../src/incoming/MessageDispatcher.js';
import type { MessagePosting } from '../../src/incoming/ports.js';
import { LONGEST_HOLD_MS, repliesToRelease } from '../../src/incoming/reply.js';
import type { PostResult } from '../../src/model/incoming.js';
import { FakeClock } from '../support/FakeClock.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { sized } from '../support/size.js';
import { openTestStore, temporaryDirectory } from '../support/temporaryStore.js';

const SEED = 20261129;
const TIMEOUT_MS = 60_000;
const PEOPLE = ['ann', 'bob', 'cal'];

/** How one post goes. `fate`: what the backend does with it; `lost`: the connection breaks before all of it is written. */
interface Course {
  connectMs: number;
  thinkMs: number;
  fate: 'answers' | 'fails' | 'lost' | 'unreached' | 'hangs';
}
type Step =
  | { kind: 'arrive'; person: string }
  | { kind: 'wait'; ms: number }
  | { kind: 'kill' }
  | { kind: 'recover' };

const course: fc.Arbitrary<Course> = fc.record({
  connectMs: fc.constantFrom(0, 5, 150, 1_900, 2_100, 7_000),
  thinkMs: fc.constantFrom(0, 20, 1_000, 2_500, 9_000, 20_000),
  fate: fc.oneof(
    { weight: 6, arbitrary: fc.constant<Course['fate']>('answers') },
    { weight: 4, arbitrary: fc.constantFrom<Course['fate']>('fails', 'lost', 'unreached', 'hangs') },
  ),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...PEOPLE).map((person): Step => ({ kind: 'arrive', person })) },
  {
    weight: 6,
    arbitrary: fc
      .constantFrom(1, 100, 1_500, 2_500, 12_000, 61_000)
      .map((ms): Step => ({ kind: 'wait', ms })),
  },
  { weight: 1, arbitrary: fc.constantFrom<Step>({ kind: 'kill' }, { kind: 'recover' }) },
);

/** A backend behind a network that delays, breaks and hangs as configured; what it saw survives every agent. */
class Network {
  readonly arrivals: { guid: string; person: string; sequence: number }[] = [];
  private made = 0;

  constructor(
    private readonly clock: FakeClock,
    private readonly courses: readonly Course[],
  ) {}

  /** The way of one agent into it, until that agent is killed. */
  way(): MessagePosting & { cut: () => void } {
    let isCut = false;
    return {
      cut: () => {
        isCut = true;
      },
      postMessage: (body, guid, { onWritten }) => {
        const { connectMs, thinkMs, fate } = this.courses[this.made++] ?? {
          connectMs: 1,
          thinkMs: 1,
          fate: 'answers',
        };
        return new Promise((resolve) => {
          const later = (ms: number, run: () => void) =>
            this.clock.after(ms, () => {
              if (!isCut) run();
            });
          const retry = (result: Omit<Extract<PostResult, { kind: 'retry' }>, 'kind' | 'detail'>) =>
            resolve({ kind: 'retry', detail: 'no', ...result });
          later(TIMEOUT_MS, () => retry({ cause: 'timeout' }));
          if (fate === 'unreached') later(connectMs, () => retry({ cause: 'network', unread: true }));
          else if (fate === 'lost') later(connectMs, () => retry({ cause: 'network' }));
          else {
            later(connectMs, () => {
              onWritten();
              const { thread_id: person, sequence } = body as { thread_id: string; sequence: number };
              this.arrivals.push({ guid, person, sequence });
              if (fate === 'answers')
                later(thinkMs, () => resolve({ kind: 'answered', body: { reply_text: guid } }));
              if (fate === 'fails') later(thinkMs, () => retry({ cause: 'server', status: 500 }));
            });
          }
        });
      },
    };
  }
}

test(`whatever connections, backend and kills do, messages arrive and replies are sent in order, and all are (seed ${SEED})`, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 40 }),
      fc.array(course, { maxLength: 40 }),
      async (steps, courses) => {
        const clock = new FakeClock();
        const network = new Network(clock, courses);
        const path = join(temporaryDirectory(), 'store.db');
        const sent: { person: string; answers: string; at: number }[] = [];
        const answeredAt = new Map<string, number>();
        let arrived = 0;

        const startAgent = () => {
          const store = openTestStore(path, { clock, log: new RecordingLog() });
          const way = network.way();
          const replies = {
            enqueue: ({ conversation, answers = '' }: { conversation: string; answers?: string }) =>
              store.afterCommit(() => sent.push({ person: conversation, answers, at: clock.monotonic() })),
          };
          const log = {
            ...{ debug: () => undefined, warn: () => undefined, error: () => undefined },
            info: (line: string, fields: { trace?: unknown } = {}) => {
              if (line === 'The backend answered a message')
                answeredAt.set(String(fields.trace), clock.monotonic());
            },
          };
          const forwarder = new MessageDispatcher({
            ...{ store, backend: way, replies, clock, random: () => 0.5, log },
            worthAnswering: () => true,
            settings: () => ({ bubbleDelayMs: 0 }),
          });
          forwarder.start();
          return { store, way, forwarder };
        };
        let agent = startAgent();
        const kill = () => {
          agent.way.cut();
          void agent.forwarder.stop();
          agent.store.close();
        };

        for (const one of steps) {
          if (one.kind === 'wait') await clock.advanceAsync(one.ms);
          else if (one.kind === 'recover') agent.forwarder.retryNow();
          else if (one.kind === 'kill') {
            kill();
            agent = startAgent();
          } else {
            arrived += 1;
            const guid = `m${arrived}`;
            const { person } = one;
            agent.store.write(() =>
              agent.store.incoming.add({
                ...{
                  guid,
                  rowId: arrived,
                  conversation: person,
                  threadId: person,
                  chatGuid: person,
                  sender: person,
                },
                ...{ text: guid, sentAt: clock.now(), isGroup: false, participants: [], service: 'iMessage' },
                ...{ replyToGuid: null, attachments: [] },
              }),
            );
          }
        }
        // Every course has an end: from then on each post is answered.
        for (let minute = 0; minute < 120 && agent.store.incoming.countOpen() > 0; minute++)
          await clock.advanceAsync(60_000);
        await clock.advanceAsync(LONGEST_HOLD_MS);
        const left = agent.store.incoming.countOpen();
        kill();

        expect(left).toBe(0);
        expect(sent.map(({ answers }) => answers).toSorted()).toEqual(
          Array.from({ length: arrived }, (_, index) => `m${index + 1}`).toSorted(),
        );
        const sequences = new Map<string, number>();
        for (const person of PEOPLE) {
          const firsts: number[] = [];
          for (const { guid, sequence } of network.arrivals.filter((arrival) => arrival.person === person)) {
            if (!sequences.has(guid)) firsts.push(sequence);
            expect(sequences.get(guid) ?? sequence).toBe(sequence);
            sequences.set(guid, sequence);
          }
          expect(firsts).toEqual(firsts.map((_, index) => index + 1));
          const out = sent.filter((reply) => reply.person === person);
          for (const [index, { answers, at }] of out.entries()) {
            const waited = at - (answeredAt.get(answers) ?? Number.NaN);
            expect(waited).toBeLessThanOrEqual(LONGEST_HOLD_MS);
            const overtaken = out
              .slice(index + 1)
              .some((later) => (sequences.get(later.answers) ?? 0) < (sequences.get(answers) ?? 0));
            // Ahead of an earlier one only after the longest wait, its own or that of one behind it.
            const isLate = out.some(
              (other) =>
                other.at === at &&
                (sequences.get(other.answers) ?? 0) >= (sequences.get(answers) ?? 0) &&
                at - (answeredAt.get(other.answers) ?? 0) >= LONGEST_HOLD_MS,
            );
            if (overtaken) expect(isLate).toBe(true);
          }
        }
      },
    ),
    { seed: SEED, numRuns: sized(30, 1_000) },
  );
});

test(`what is released of held replies is in order, never ahead of one kept, and nothing due is kept (seed ${SEED})`, () => {
  const held = fc.uniqueArray(fc.record({ sequence: fc.integer({ min: 1, max: 30 }), isDue: fc.boolean() }), {
    selector: ({ sequence }) => sequence,
  });
  fc.assert(
    fc.property(held, fc.option(fc.integer({ min: 1, max: 30 })), (replies, oldest) => {
      const released = repliesToRelease(replies, oldest).map(({ sequence }) => sequence);
      expect(released).toEqual(released.toSorted((a, b) => a - b));
      const kept = replies.filter(({ sequence }) => !released.includes(sequence));
      for (const { sequence, isDue } of kept) {
        expect(isDue).toBe(false);
        expect(sequence).toBeGreaterThan(released.at(-1) ?? 0);
        expect(oldest !== null && oldest <= sequence).toBe(true);
      }
    }),
    { seed: SEED, numRuns: sized(100, 2_000) },
  );
});
