import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ERROR_CODES, type ErrorCode } from '../../src/model/errorCodes.js';
import { VITAL_SIGNS, type VitalSignName } from '../../src/model/vitalSignNames.js';
import { codesOfSign, hindersTheJob } from '../../src/operator/problemMeanings.js';
import { idleSigns, type VitalFacts, vitalSigns } from '../../src/operator/vitalSigns.js';

const NOW = Date.UTC(2026, 10, 20, 9);
const MINUTE = 60_000;
const ago = (minutes: number) => NOW - minutes * MINUTE;
const NAMES = Object.keys(VITAL_SIGNS) as VitalSignName[];

/** Something that has stood for so many minutes. */
const stood = (minutes: number) => ({ since: ago(minutes), ms: minutes * MINUTE });

/** An agent that has just started: nothing was seen. */
const UNSEEN: VitalFacts = {
  now: NOW,
  problems: [],
  restart: 'Restart it.',
  reading: { readAt: null, rowsBehind: null, standstill: null },
  posts: {
    answeredAt: null,
    takenAt: null,
    failing: null,
    waiting: 0,
    failed: { conversations: 0, since: null },
    standstill: null,
  },
  sending: { sentAt: null, failing: null, undecided: { texts: 0, since: Infinity }, overdue: null },
  link: { isWanted: true, isLive: false, pongAt: null, syncAt: null },
  acks: null,
  uploads: null,
  setAside: { messages: 0, since: null },
  givenUp: { messages: { count: 0, newestAt: null }, images: 0 },
};

/** One message waits, and its posts fail. */
const posts = (
  more: Partial<NonNullable<VitalFacts['posts']['failing']>>,
  facts: Partial<VitalFacts['posts']> = {},
): Partial<VitalFacts> => ({
  posts: {
    ...UNSEEN.posts,
    waiting: 1,
    failed: { conversations: 1, since: ago(2) },
    standstill: stood(2),
    failing: {
      since: ago(2),
      lastAt: ago(0.5),
      posts: 5,
      conversations: 1,
      detail: 'HTTP 404',
      isRejected: false,
      isTaken: false,
      ...more,
    },
    ...facts,
  },
});
/** Nothing waits. */
const quiet = { waiting: 0, failed: { conversations: 0, since: null }, standstill: null };
const refused = (more: Partial<NonNullable<VitalFacts['posts']['failing']>>) =>
  posts({ isRejected: true, posts: 3, conversations: 2, detail: 'HTTP 422', ...more }, quiet);
const texts = (more: Partial<NonNullable<VitalFacts['sending']['failing']>>): Partial<VitalFacts> => ({
  sending: {
    ...UNSEEN.sending,
    failing: {
      since: ago(2),
      lastAt: ago(1),
      texts: 3,
      unknown: 0,
      conversations: 2,
      detail: 'It was not sent.',
      ...more,
    },
  },
});

/** What is true, and the code that it makes; the same a little better makes none. */
const FOUND: readonly (readonly [ErrorCode, facts: Partial<VitalFacts>, better: Partial<VitalFacts>])[] = [
  ['messages_not_taken', posts({}), posts({}, { standstill: stood(0.9) })],
  // An earlier failure is no evidence about a message that has just come.
  ['messages_not_taken', posts({ since: ago(180) }), posts({ since: ago(180) }, { ...quiet, waiting: 1 })],
  // Others were answered while it waited: then it may be its own fault, for a while.
  [
    'messages_not_taken',
    posts({}, { standstill: stood(11), answeredAt: ago(1) }),
    posts({}, { answeredAt: ago(1) }),
  ],
  ['messages_not_taken', refused({}), refused({ posts: 2 })],
  ['messages_not_taken', refused({}), refused({ conversations: 1 })],
  ['messages_not_taken', refused({ lastAt: ago(59) }), refused({ lastAt: ago(61) })],
  ['messages_unanswered', posts({ isTaken: true }), posts({ isTaken: true }, { standstill: stood(0.5) })],
  ['sends_failing', texts({}), texts({ conversations: 1 })],
  ['sends_failing', texts({ conversations: 1, unknown: 3 }), texts({ texts: 2 })],
  ['sends_failing', texts({ lastAt: ago(59) }), texts({ lastAt: ago(61) })],
  [
    'texts_undecided',
    { sending: { ...UNSEEN.sending, undecided: { texts: 1, since: NOW - 16_000 } } },
    { sending: { ...UNSEEN.sending, undecided: { texts: 1, since: NOW - 14_000 } } },
  ],
  [
    'schedule_overdue',
    { sending: { ...UNSEEN.sending, overdue: stood(3) } },
    { sending: { ...UNSEEN.sending, overdue: { since: ago(60), ms: MINUTE } } },
  ],
  [
    'reading_stalled',
    { reading: { readAt: NOW, standstill: stood(3), rowsBehind: 4 } },
    { reading: { readAt: NOW, standstill: { since: ago(60), ms: MINUTE }, rowsBehind: 4 } },
  ],
  ['acks_unread', { acks: stood(11) }, { acks: stood(9) }],
  ['uploads_stuck', { uploads: stood(61) }, { uploads: stood(59) }],
  [
    'messages_set_aside',
    { setAside: { messages: 1, since: ago(1) } },
    { setAside: { messages: 0, since: null } },
  ],
];

describe('the vital signs', () => {
  test('without any evidence are not yet known, except those looked up in the store', () => {
    const { signs, problems } = vitalSigns(UNSEEN);
    expect(problems).toEqual([]);
    for (const name of NAMES)
      expect([name, signs[name].state]).toEqual([name, name === 'nothing_given_up' ? 'ok' : 'not_yet_known']);
  });

  test.each(FOUND)('are judged by their evidence: %s', (code, facts, better) => {
    const bad = vitalSigns({ ...UNSEEN, ...facts });
    expect(bad.problems.map((one) => one.code)).toEqual([code]);
    const failing = NAMES.filter((name) => bad.signs[name].state === 'failing');
    expect(failing).toEqual(NAMES.filter((name) => codesOfSign(name).includes(code)));
    expect(failing).not.toEqual([]);
    expect(vitalSigns({ ...UNSEEN, ...better }).problems).toEqual([]);
  });

  test.each([
    [0, 0, 'nothing is set aside'],
    [1, 0, 'nothing is set aside; given up in the last 7 days: 1 message too old to be answered'],
    [0, 1, 'nothing is set aside; given up in the last 7 days: 1 image not uploaded'],
    [
      ...([3, 2] as const),
      'nothing is set aside; given up in the last 7 days: 3 messages too old to be answered, 2 images not uploaded',
    ],
  ])(
    'report what was given up although nothing is set aside: %i messages, %i images',
    (count, images, evidence) => {
      const messages = { count, newestAt: count === 0 ? null : ago(25 * 60) };
      const { signs } = vitalSigns({ ...UNSEEN, givenUp: { messages, images } });
      expect(signs.nothing_given_up).toMatchObject({ state: 'ok', evidence });
    },
  );

  test('do not report that nothing is lost on the day on which a message expired', () => {
    const messages = { count: 1, newestAt: ago(23 * 60) };
    const { signs } = vitalSigns({ ...UNSEEN, givenUp: { messages, images: 0 } });
    expect(signs.nothing_given_up).toMatchObject({ state: 'failing', codes: ['messages_expired'] });
  });

  test('do not report a consequence where its cause is reported', () => {
    const cutOff = (['backend_unreachable', 'token_expired', 'secret_missing'] as const).map((code) => ({
      code,
      since: ago(5),
      message: 'no way',
      remedy: '',
    }));
    for (const problem of cutOff) {
      const facts = {
        ...UNSEEN,
        problems: [problem],
        ...posts({}),
        acks: stood(60),
        uploads: stood(600),
      };
      const { problems, signs } = vitalSigns(facts);
      expect(problems).toEqual([problem]);
      expect(signs.is_answered).toMatchObject({ state: 'failing', codes: [problem.code] });
    }
  });

  test('of what failed recently, and was not tried since, are neither fine nor failing', () => {
    const { signs } = vitalSigns({
      ...UNSEEN,
      ...refused({ lastAt: ago(61) }),
      ...texts({ lastAt: ago(61) }),
    });
    for (const name of ['can_post', 'is_answered', 'can_send'] as const)
      expect(signs[name]).toMatchObject({
        state: 'not_yet_known',
        evidence: expect.stringContaining('2026'),
      });
    const well = { answeredAt: ago(90), takenAt: ago(90) };
    const before = vitalSigns({
      ...UNSEEN,
      posts: { ...UNSEEN.posts, ...refused({ lastAt: ago(61) }).posts, ...well },
    });
    expect(before.signs.can_post.state).toBe('not_yet_known');
    const byOne = refused({ lastAt: ago(61), conversations: 1 });
    const after = vitalSigns({ ...UNSEEN, posts: { ...UNSEEN.posts, ...byOne.posts, ...well } });
    expect(after.signs.can_post.state).toBe('ok');
  });

  test('of an agent that has not started fail by what prevents it, and are otherwise unknown', () => {
    const since = new Date(NOW).toISOString();
    const problem = { code: 'state_unwritable', since, message: 'no', remedy: 'mend it' } as const;
    const signs = idleSigns([problem], 'it has not started');
    const named = ['can_read', 'can_send'];
    for (const name of NAMES)
      expect([name, signs[name].state]).toEqual([name, named.includes(name) ? 'failing' : 'not_yet_known']);
  });

  const instant = fc.option(fc.integer({ min: 0, max: 180 }).map(ago), { nil: null });
  const standstill = fc.option(fc.integer({ min: 0, max: 180 }).map(stood), { nil: null });
  const facts: fc.Arbitrary<VitalFacts> = fc.record({
    now: fc.constant(NOW),
    restart: fc.constant('Restart it.'),
    problems: fc.array(
      fc.record({
        code: fc.constantFrom(...(Object.keys(ERROR_CODES) as ErrorCode[])),
        since: fc.integer({ min: 0, max: 180 }).map(ago),
        message: fc.constant('it is so'),
        remedy: fc.constant('mend it'),
      }),
      { maxLength: 3 },
    ),
    reading: fc.record({
      readAt: instant,
      standstill,
      rowsBehind: fc.option(fc.nat(9), { nil: null }),
    }),
    posts: fc.record({
      answeredAt: instant,
      takenAt: instant,
      failing: fc.option(
        fc.record({
          since: fc.integer({ min: 0, max: 180 }).map(ago),
          lastAt: fc.integer({ min: 0, max: 180 }).map(ago),
          posts: fc.integer({ min: 1, max: 9 }),
          conversations: fc.integer({ min: 1, max: 3 }),
          detail: fc.constant('HTTP 500'),
          isRejected: fc.boolean(),
          isTaken: fc.boolean(),
        }),
        { nil: null },
      ),
      waiting: fc.nat(3),
      failed: fc.record({ conversations: fc.nat(2), since: instant }),
      standstill,
    }),
    sending: fc.record({
      sentAt: instant,
      failing: fc.constant(null),
      undecided: fc.record({ texts: fc.nat(3), since: fc.integer({ min: ago(60), max: NOW }) }),
      overdue: standstill,
    }),
    link: fc.record({ isWanted: fc.boolean(), isLive: fc.boolean(), pongAt: instant, syncAt: instant }),
    acks: standstill,
    uploads: standstill,
    setAside: fc.record({ messages: fc.nat(2), since: instant }),
    givenUp: fc.record({ messages: fc.record({ count: fc.nat(2), newestAt: instant }), images: fc.nat(2) }),
  });

  test('fail exactly by their codes, are well only by evidence, and no problem is left out', () => {
    fc.assert(
      fc.property(facts, (given) => {
        const { signs, problems } = vitalSigns(given);
        const codes = problems.map(({ code }) => code);
        expect(problems.slice(0, given.problems.length)).toEqual(given.problems);
        for (const name of NAMES) {
          const { state, evidence, evidence_at: at, codes: own } = signs[name];
          expect(own).toEqual([...new Set(codes.filter((code) => codesOfSign(name).includes(code)))]);
          expect(state === 'failing').toBe(own.length > 0);
          expect(at === null).toBe(state === 'not_yet_known');
          expect(evidence).not.toBe('');
        }
      }),
    );
  });

  test('a code without a meaning counts as hindering the job', () => {
    expect(hindersTheJob({ code: 'too_late' })).toBe(true);
    expect(hindersTheJob({ code: 'config_needs_restart' })).toBe(false);
  });
});
