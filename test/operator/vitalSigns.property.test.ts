import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ERROR_CODES, type ErrorCode } from '../../src/model/errorCodes.js';
import { VITAL_SIGNS, type VitalSignName } from '../../src/model/vitalSigns.js';
import { codesOfSign, hindersTheJob, type VitalFacts, vitalSigns } from '../../src/operator/vitalSigns.js';

const NOW = Date.UTC(2026, 10, 20, 9);
const MINUTE = 60_000;
const ago = (minutes: number) => NOW - minutes * MINUTE;
const NAMES = Object.keys(VITAL_SIGNS) as VitalSignName[];

/** An agent that has just started: nothing was seen. */
const UNSEEN: VitalFacts = {
  now: NOW,
  problems: [],
  reading: { readAt: null, stuckSince: null, rowsBehind: null },
  posts: { answeredAt: null, takenAt: null, failing: null, waiting: 0 },
  sending: { sentAt: null, failing: null, nextDueAt: null },
  link: { isWanted: true, isLive: false, pongAt: null, syncAt: null },
  oldest: { acks: null, uploads: null },
  setAside: { messages: 0, since: null },
};

const posts = (more: Partial<NonNullable<VitalFacts['posts']['failing']>>) => ({
  ...UNSEEN.posts,
  waiting: 1,
  failing: { since: ago(2), posts: 5, detail: 'HTTP 404', isRejected: false, isTaken: false, ...more },
});
const texts = (more: Partial<NonNullable<VitalFacts['sending']['failing']>>) => ({
  ...UNSEEN.sending,
  failing: { since: ago(2), texts: 3, unknown: 0, conversations: 2, detail: 'It was not sent.', ...more },
});

/** What is true, and the code that it makes; the same a little better makes none. */
const FOUND: readonly (readonly [ErrorCode, facts: Partial<VitalFacts>, better: Partial<VitalFacts>])[] = [
  ['messages_not_taken', { posts: posts({}) }, { posts: posts({ since: ago(0.5) }) }],
  ['messages_not_taken', { posts: posts({}) }, { posts: { ...posts({}), waiting: 0 } }],
  [
    'messages_not_taken',
    { posts: { ...posts({ isRejected: true, posts: 3 }), waiting: 0 } },
    { posts: { ...posts({ isRejected: true, posts: 2 }), waiting: 0 } },
  ],
  [
    'messages_unanswered',
    { posts: posts({ isTaken: true }) },
    { posts: posts({ isTaken: true, since: NOW }) },
  ],
  ['sends_failing', { sending: texts({}) }, { sending: texts({ conversations: 1 }) }],
  ['sends_failing', { sending: texts({ conversations: 1, unknown: 3 }) }, { sending: texts({ texts: 2 }) }],
  [
    'schedule_overdue',
    { sending: { ...UNSEEN.sending, nextDueAt: ago(3) } },
    { sending: { ...UNSEEN.sending, nextDueAt: ago(1) } },
  ],
  [
    'reading_stalled',
    { reading: { readAt: NOW, stuckSince: ago(3), rowsBehind: 4 } },
    { reading: { readAt: NOW, stuckSince: ago(1), rowsBehind: 4 } },
  ],
  ['acks_unread', { oldest: { acks: ago(11), uploads: null } }, { oldest: { acks: ago(9), uploads: null } }],
  [
    'uploads_stuck',
    { oldest: { acks: null, uploads: ago(61) } },
    { oldest: { acks: null, uploads: ago(59) } },
  ],
  [
    'messages_set_aside',
    { setAside: { messages: 1, since: ago(1) } },
    { setAside: { messages: 0, since: null } },
  ],
];

describe('the vital signs', () => {
  test('of which nothing was seen are not yet known, but for what is looked up in the store', () => {
    const { signs, problems } = vitalSigns(UNSEEN);
    expect(problems).toEqual([]);
    for (const name of NAMES)
      expect([name, signs[name].state]).toEqual([name, name === 'nothing_given_up' ? 'ok' : 'not_yet_known']);
  });

  test.each(FOUND)('are judged by what was seen: %s', (code, facts, better) => {
    const bad = vitalSigns({ ...UNSEEN, ...facts });
    expect(bad.problems.map((one) => one.code)).toEqual([code]);
    const failing = NAMES.filter((name) => bad.signs[name].state === 'failing');
    expect(failing).toEqual(NAMES.filter((name) => codesOfSign(name).includes(code)));
    expect(failing).not.toEqual([]);
    expect(vitalSigns({ ...UNSEEN, ...better }).problems).toEqual([]);
  });

  test('have no consequence told where its cause is', () => {
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
        posts: posts({}),
        oldest: { acks: ago(60), uploads: 0 },
      };
      const { problems, signs } = vitalSigns(facts);
      expect(problems).toEqual([problem]);
      expect(signs.is_answered).toMatchObject({ state: 'failing', codes: [problem.code] });
    }
  });

  const instant = fc.option(fc.integer({ min: 0, max: 180 }).map(ago), { nil: null });
  const facts: fc.Arbitrary<VitalFacts> = fc.record({
    now: fc.constant(NOW),
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
      stuckSince: instant,
      rowsBehind: fc.option(fc.nat(9), { nil: null }),
    }),
    posts: fc.record({
      answeredAt: instant,
      takenAt: instant,
      failing: fc.option(
        fc.record({
          since: fc.integer({ min: 0, max: 180 }).map(ago),
          posts: fc.integer({ min: 1, max: 9 }),
          detail: fc.constant('HTTP 500'),
          isRejected: fc.boolean(),
          isTaken: fc.boolean(),
        }),
        { nil: null },
      ),
      waiting: fc.nat(3),
    }),
    sending: fc.record({ sentAt: instant, failing: fc.constant(null), nextDueAt: instant }),
    link: fc.record({ isWanted: fc.boolean(), isLive: fc.boolean(), pongAt: instant, syncAt: instant }),
    oldest: fc.record({ acks: instant, uploads: instant }),
    setAside: fc.record({ messages: fc.nat(2), since: instant }),
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

  test('a code that nobody has given a meaning hinders the job', () => {
    expect(hindersTheJob({ code: 'too_late' })).toBe(true);
    expect(hindersTheJob({ code: 'config_needs_restart' })).toBe(false);
  });
});
